package pkcs11

import (
	"fmt"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/paired"
)

// tuner finds how many sessions re-wrap the most. It doubles them while that
// pays, tries a neighbor now and then, more rarely the longer that changes nothing,
// and halves them when the token is busy. SoftHSM2 is fastest with one session,
// an HSM on the network with tens.
type tuner struct {
	mu    sync.Mutex
	now   func() time.Time
	fixed bool
	most  int // sessions at most
	best  int
	why   string

	other    int // sessions that are tried; 0: none are
	trial    paired.Trial
	climbing bool
	down     bool          // the next neighbor to try is the half
	next     time.Time     // when to try it
	pause    time.Duration // before it
	observed bool          // a batch ended since the token was last busy
	busied   time.Time     // when it was
	still    bool          // nothing is tried
}

// How long before the next trial: each one that changes nothing doubles it. A busy token is given a new number at once.
const (
	shortPause = 10 * time.Second
	longPause  = 5 * time.Minute
)

// perSession is how many items each session has in a trial, where a page has so many.
const perSession = 32

// newTuner fixes the number of sessions, or with 0 finds it, up to most.
func newTuner(fixed, most int, now func() time.Time) *tuner {
	t := &tuner{now: now, most: most, best: 1, why: "as configured"}
	if t.fixed = fixed > 0; t.fixed {
		t.best = min(fixed, most)
	} else {
		t.try(t.double(), true)
	}
	return t
}

// begin starts the search where the probe found the best.
func (t *tuner) begin(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.fixed {
		t.best = max(1, min(n, t.most))
		t.try(t.double(), true)
	}
}

// sessions is how many are to work now.
func (t *tuner) sessions() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.other > 0 && t.trial.New && !t.still {
		return t.other
	}
	return t.best
}

// piece is how many of so many items are to be done before observe is asked: in a trial the rest of a turn, and
// enough that the more sessions do not look slow by waiting for one another at its end.
func (t *tuner) piece(items int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.other > 0 && !t.still {
		return min(items, max(t.trial.Left(), perSession*max(t.other, t.best)))
	}
	return items
}

// steady has it try nothing for as long as somebody else tries something.
func (t *tuner) steady(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if on != t.still { // what was measured before is not compared with what comes after
		t.still, t.trial = on, paired.Trial{}
	}
}

// String says how many, and why.
func (t *tuner) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d, %s", t.best, t.why)
}

// limit is what the token said it cannot go beyond.
func (t *tuner) limit(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.most = max(1, n)
	t.settle(min(t.best, t.most), "the token has no more sessions")
}

// busy halves the sessions. Those of a trial were too many already.
func (t *tuner) busy() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.fixed || t.why == busyWhy && !t.observed: // the batch that was in flight says it many times
	case t.other > t.best && t.trial.New:
		t.settle(t.best, busyWhy)
	default:
		t.lookAgain(true)
		if t.why == busyWhy {
			t.pause /= 2 // it is so still: there was no trial in vain
		}
		t.settle(max(1, t.best/2), busyWhy)
	}
	t.observed, t.busied = false, t.now()
}

// lookAgain has the next trial soon, of the double or of the half, since the token has changed. One that was busy
// lately is left alone for longer.
func (t *tuner) lookAgain(up bool) {
	t.down = !up
	if t.now().Sub(t.busied) > longPause {
		t.pause = 0
	}
}

const busyWhy = "fewer, the token was busy"

// observe takes the time of a batch and decides when a trial is over.
func (t *tuner) observe(items int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observed = true
	switch {
	case t.fixed || t.still:
		return
	case t.other == 0:
		if t.now().After(t.next) {
			t.neighbor()
		}
		return
	}
	t.trial.Observe(items, took)
	decided, faster := t.trial.Decided()
	switch {
	case !decided:
	case !faster:
		t.settle(t.best, fastest)
	default:
		t.win()
	}
}

const fastest = "the token is fastest with that"

// win takes the number that was tried. A climb goes on at once; the way down goes on after a pause, with the half.
func (t *tuner) win() {
	won, climbing := t.trial, t.climbing
	t.best = t.other
	t.lookAgain(climbing)
	if climbing && t.best < t.most {
		t.try(t.double(), true)
		t.trial = paired.From(won)
	} else {
		t.settle(t.best, fastest)
	}
}

// neighbor tries the double and the half in turn, where there are so many. After a climb the double is first, which
// ended it: by less than the half had lost.
func (t *tuner) neighbor() {
	half, double := t.best/2, t.double()
	if half >= 1 && (t.down || double == t.best) {
		t.try(half, false)
	} else {
		t.try(double, true)
	}
	t.down = !t.down
}

// double is twice the best, or as many as there are.
func (t *tuner) double() int { return min(2*t.best, t.most) }

// try begins a trial of another number of sessions, if it is another.
func (t *tuner) try(n int, climbing bool) {
	t.trial, t.climbing, t.why = paired.Trial{}, climbing, "trying"
	if t.other = n; n == t.best {
		t.settle(t.best, fastest)
	}
}

func (t *tuner) settle(n int, why string) {
	t.best, t.why, t.other = n, why, 0
	t.pause = min(max(shortPause, 2*t.pause), longPause)
	t.next = t.now().Add(t.pause)
}
