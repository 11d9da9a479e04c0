// Package paired compares two ways of doing the same work by letting them take turns: the rate of a
// machine or a token moves for reasons of its own, and two measurements that lie apart show nothing but that.
package paired

import (
	"slices"
	"time"
)

// What makes a trial, and what it must gain.
const (
	turn   = 250 * time.Millisecond // of work, at least
	rounds = 5                      // of a turn each; the median decides
	gain   = 1.05
	plain  = 1.7 // so large a difference is decided by one round
)

// Trial is a comparison in work: of the way in use with a new one. The zero Trial begins with the way in
// use.
type Trial struct {
	New bool // the new way has the turn

	items  int
	took   time.Duration
	old    float64   // rate of the last turn of the way in use
	ratios []float64 // of each round: the new one's rate by the other's
	rate   float64   // of the new way's last turn
}

// From is a trial of a further way against the one that just won: its turn was measured already.
func From(won Trial) Trial { return Trial{New: true, old: won.rate} }

// Observe takes what was done in the turn, and gives the turn to the other way when it is over.
func (t *Trial) Observe(items int, took time.Duration) {
	t.items, t.took = t.items+items, t.took+took
	if t.took < turn {
		return
	}
	rate := float64(t.items) / t.took.Seconds()
	t.items, t.took = 0, 0
	if t.New {
		t.rate = rate
		t.ratios = append(t.ratios, rate/t.old)
	} else {
		t.old = rate
	}
	t.New = !t.New
}

// Decided reports whether enough was seen, and then whether the new way is the faster one.
func (t *Trial) Decided() (decided, faster bool) {
	switch n := len(t.ratios); {
	case n == 1 && (t.ratios[0] > plain || t.ratios[0] < 1/plain):
		return true, t.ratios[0] > 1
	case n < rounds:
		return false, false
	default:
		return true, t.Ratio() > gain
	}
}

// Ratio is the median of what the rounds gave: the new way's rate by that of the way in use; 0 before the
// first.
func (t *Trial) Ratio() float64 {
	if len(t.ratios) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(t.ratios))[len(t.ratios)/2]
}
