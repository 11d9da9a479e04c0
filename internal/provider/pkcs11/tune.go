package pkcs11

import (
	"fmt"
	"sync"
	"time"
)

// tuner finds how many sessions re-wrap the most. It doubles them while that
// pays, goes back to the best when it does not, tries a neighbour now and then,
// and halves them when the token is busy. SoftHSM2 is fastest with one session,
// an HSM on the network with tens.
type tuner struct {
	mu    sync.Mutex
	now   func() time.Time
	fixed bool
	most  int // sessions at most
	n     int // sessions in use
	best  int
	rate  float64 // of best, in envelopes per second
	why   string

	climbing bool
	up       bool      // the next neighbour to try is the double
	next     time.Time // when to try it
	items    int       // of the current trial
	took     time.Duration
}

// What makes a trial, and what it must gain.
const (
	trialTime = 250 * time.Millisecond
	trialGain = 1.08
	settled   = 20 * time.Second
)

// newTuner fixes the number of sessions, or with 0 finds it, up to most.
func newTuner(fixed, most int, now func() time.Time) *tuner {
	if fixed > 0 {
		return &tuner{now: now, fixed: true, n: min(fixed, most), most: most, why: "as configured"}
	}
	return &tuner{now: now, most: most, n: 1, climbing: true, up: true, why: "trying"}
}

// begin starts the search where the probe found the best.
func (t *tuner) begin(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.fixed {
		t.n = max(1, min(n, t.most))
	}
}

// sessions is how many are to work now.
func (t *tuner) sessions() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// String says how many, and why.
func (t *tuner) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d, %s", t.n, t.why)
}

// limit is what the token said it cannot go beyond.
func (t *tuner) limit(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = max(1, n)
	t.settle(min(t.n, t.most), "the token has no more sessions")
}

// busy halves the sessions.
func (t *tuner) busy() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fixed || t.items == 0 && t.why == busyWhy {
		return // the batch that was in flight says it many times
	}
	t.rate = 0
	t.settle(max(1, t.n/2), busyWhy)
}

const busyWhy = "fewer, the token was busy"

// observe takes the time of a batch and decides when a trial is over.
func (t *tuner) observe(items int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.items, t.took = t.items+items, t.took+took
	if t.fixed || t.took < trialTime {
		return
	}
	rate := float64(t.items) / t.took.Seconds()
	t.items, t.took = 0, 0
	switch {
	case t.n == t.best: // settled: the rate moves with the machine
		t.rate = rate
		if t.now().After(t.next) {
			t.neighbour()
		}
	case rate > trialGain*t.rate:
		t.best, t.rate = t.n, rate
		if t.climbing && 2*t.n <= t.most {
			t.n *= 2
			t.why = "trying"
			return
		}
		t.settle(t.n, "the token is fastest with that")
	default:
		t.settle(t.best, "the token is fastest with that")
	}
}

// neighbour tries the double or the half.
func (t *tuner) neighbour() {
	n := max(1, t.n/2)
	if t.up {
		n = min(2*t.n, t.most)
	}
	t.climbing = t.up
	t.up = !t.up
	if n == t.n {
		t.next = t.now().Add(settled)
		return
	}
	t.n, t.why = n, "trying"
}

func (t *tuner) settle(n int, why string) {
	t.n, t.best, t.why, t.climbing = n, n, why, false
	t.items, t.took = 0, 0
	t.next = t.now().Add(settled)
}
