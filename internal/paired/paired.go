// Package paired compares two ways of doing the same work by letting them take turns: the rate of a
// machine or a token moves for reasons of its own, and two measurements that lie apart show nothing but that.
package paired

import (
	"math"
	"slices"
	"time"
)

// Enough are the items of a turn: a caller that does more at once divides it, while a trial is on.
const Enough = 512

// What makes a trial, and what it must gain. A turn is over after a time, or with fewer work in it once enough
// items are done: where each takes microseconds, a trial is short.
const (
	turn  = 125 * time.Millisecond
	short = 10 * time.Millisecond // at least, of enough items
	gain  = 1.02
	lead  = 5   // a way has won when so many more rounds, of a turn each, speak for it than against it,
	most  = 25  // or any more of so many
	plain = 1.5 // so large a difference is decided by one round of two turns, or by so many short ones in which it shows:
	few   = 3
)

// Trial is a comparison in work: of the way in use with a new one. The zero Trial begins with the way in
// use.
type Trial struct {
	New bool // the new way has the turn

	items  int
	took   time.Duration
	worked time.Duration // in all turns, and of the way in use in the first one's, which may be older
	old    float64       // rate of the last turn of the way in use
	ratios []float64     // of each round: the new one's rate by the other's
	rate   float64       // of the new way's last turn
	last   time.Duration // what it took
}

// From is a trial of a further way against the one that just won: its turn was measured already.
func From(won Trial) Trial { return Trial{New: true, old: won.rate, worked: won.last} }

// Left is how many items the turn still takes, by the rate of those it had; 0 before the first.
func (t *Trial) Left() int {
	if t.took <= 0 {
		return 0
	}
	within := func(d time.Duration) int {
		return int(math.Ceil(float64(t.items) * float64(d-t.took) / float64(t.took)))
	}
	return min(within(turn), max(Enough-t.items, within(short)))
}

// Observe takes what was done in the turn, and gives the turn to the other way when it is over.
func (t *Trial) Observe(items int, took time.Duration) {
	t.items, t.took, t.worked = t.items+items, t.took+took, t.worked+took
	if t.took < turn && (t.items < Enough || t.took < short) {
		return
	}
	rate := float64(t.items) / t.took.Seconds()
	if t.New {
		t.rate, t.last = rate, t.took
		t.ratios = append(t.ratios, rate/t.old)
	} else {
		t.old = rate
	}
	t.items, t.took = 0, 0
	t.New = !t.New
}

// Decided reports whether enough was seen, and then whether the new way is the faster one. A difference that is
// small beside the noise takes more rounds.
func (t *Trial) Decided() (decided, faster bool) {
	n, ahead := len(t.ratios), 0
	for _, r := range t.ratios {
		if r > gain {
			ahead++
		} else {
			ahead--
		}
	}
	switch {
	case (n >= few || n > 0 && t.worked >= 2*turn) && (slices.Min(t.ratios) > plain || slices.Max(t.ratios) < 1/plain):
		return true, t.ratios[0] > 1
	default:
		return n == most || max(ahead, -ahead) >= lead, ahead > 0
	}
}

// Ratio is the median of what the rounds gave: the new way's rate by that of the way in use; 0 before the
// first.
func (t *Trial) Ratio() float64 {
	if len(t.ratios) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.ratios))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
