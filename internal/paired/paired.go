// Package paired compares two ways of doing the same work by letting them take turns: the rate of a
// machine or a token moves for reasons of its own, and two measurements that lie apart show nothing but that.
package paired

import (
	"math"
	"slices"
	"time"
)

// What makes a trial, and what it must gain. A turn is over after a time, or before it once enough items are
// done: where each takes microseconds, a trial is brief.
const (
	turn   = 125 * time.Millisecond
	short  = 10 * time.Millisecond // at least, of enough items:
	enough = 512
	gain   = 1.02
	lead   = 5  // a way has won when so many more rounds, of a turn each, speak for it than against it,
	most   = 25 // or any more of so many
	// So large a difference is decided by one round. Where turns are brief, something that held one of them up looks
	// like that: it must show in each of a few rounds.
	plain = 1.5
	few   = 3
)

// Trial is a comparison in work: of the way in use with a new one. The zero Trial begins with the way in
// use.
type Trial struct {
	New bool // the new way has the turn

	items  int
	took   time.Duration
	brief  bool      // a turn was over before its time, with enough items
	old    float64   // rate of the last turn of the way in use
	ratios []float64 // of each round: the new one's rate by the other's
	rate   float64   // of the new way's last turn
}

// From is a trial of a further way against the one that just won: its turn was measured already.
func From(won Trial) Trial { return Trial{New: true, old: won.rate, brief: won.brief} }

// Left is how many items the turn still takes, by the rate of those it had; 0 before the first.
func (t *Trial) Left() int {
	if t.took <= 0 {
		return 0
	}
	within := func(d time.Duration) int {
		return int(math.Ceil(float64(t.items) * float64(d-t.took) / float64(t.took)))
	}
	return min(within(turn), max(enough-t.items, within(short)))
}

// Observe takes what was done in the turn, and gives the turn to the other way when it is over.
func (t *Trial) Observe(items int, took time.Duration) {
	t.items, t.took = t.items+items, t.took+took
	if t.took < turn && (t.items < enough || t.took < short) {
		return
	}
	rate := float64(t.items) / t.took.Seconds()
	t.brief = t.brief || t.took < turn
	t.items, t.took = 0, 0
	if t.New {
		t.rate = rate
		t.ratios = append(t.ratios, rate/t.old)
	} else {
		t.old = rate
	}
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
	case (n >= few || n > 0 && !t.brief) && (slices.Min(t.ratios) > plain || slices.Max(t.ratios) < 1/plain):
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
