package rewrap

import (
	"context"
	"sync"
	"time"
)

// Control is how people throttle a re-wrap: pause, resume, slower, faster, a rate. It
// may be used from any goroutine.
type Control struct {
	mu      sync.Mutex
	paused  bool
	by      string        // who paused it, while it is paused
	rate    int           // envelopes per second; 0: no limit
	changes []Change      // not yet reported
	wake    chan struct{} // closed and replaced at each change
}

// Action is what somebody at the console asks for.
type Action string

// The actions.
const (
	Pause   Action = "pause"
	Resume  Action = "resume"
	Slower  Action = "slower" // half the limit, or half the rate seen when there is none
	Faster  Action = "faster" // twice the limit
	SetRate Action = "rate"   // a limit in envelopes per second; 0: none
)

// Change is one action, who asked for it, and the limit after it.
type Change struct {
	Action Action
	By     string
	Rate   int
}

// NewControl limits the rate to envelopes per second; 0 is no limit.
func NewControl(rate int) *Control {
	return &Control{rate: rate, wake: make(chan struct{})}
}

// Do does an action before the next page is written. rate is the limit of
// SetRate, and the rate seen for Slower.
func (c *Control) Do(a Action, by string, rate int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a {
	case Pause:
		c.paused, c.by = true, by
	case Resume:
		c.paused, c.by = false, ""
	case Slower:
		if c.rate == 0 {
			c.rate = rate
		}
		c.rate = max(1, c.rate/2)
	case Faster:
		c.rate *= 2
	case SetRate:
		c.rate = max(0, rate)
	}
	c.changes = append(c.changes, Change{a, by, c.rate})
	c.changed()
}

// Wake has a re-wrap that pauses look around once, as after a change.
func (c *Control) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed()
}

func (c *Control) changed() {
	close(c.wake)
	c.wake = make(chan struct{})
}

// Changes returns what was done since it was last called, in order.
func (c *Control) Changes() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	some := c.changes
	c.changes = nil
	return some
}

// Now is the state at this moment, and a channel that closes when it changes.
func (c *Control) Now() (paused bool, rate int, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused, c.rate, c.wake
}

// PausedBy is who paused the re-wrap; empty while it is not paused.
func (c *Control) PausedBy() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by
}

// await blocks until the time has come, or the control changes.
func await(ctx context.Context, until time.Time, changed <-chan struct{}) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-timer.C:
	}
	return nil
}
