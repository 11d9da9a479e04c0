package rewrap

import (
	"context"
	"sync"
	"time"
)

// Control is how people hold a re-wrap: pause, resume, slower, faster. It may
// be used from any goroutine.
type Control struct {
	mu     sync.Mutex
	paused bool
	rate   int           // envelopes per second; 0: no limit
	wake   chan struct{} // closed and replaced at each change
}

// NewControl limits the rate to envelopes per second; 0 is no limit.
func NewControl(rate int) *Control {
	return &Control{rate: rate, wake: make(chan struct{})}
}

// Pause, Resume, Slower and Faster take effect before the next page.
func (c *Control) Pause() { c.change(func() { c.paused = true }) }

// Resume ends a pause.
func (c *Control) Resume() { c.change(func() { c.paused = false }) }

// Slower halves the limit, or the rate seen when there is none.
func (c *Control) Slower(seen float64) {
	c.change(func() {
		if c.rate == 0 {
			c.rate = int(seen)
		}
		c.rate = max(1, c.rate/2)
	})
}

// Faster doubles the limit.
func (c *Control) Faster() { c.change(func() { c.rate *= 2 }) }

func (c *Control) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.wake)
	c.wake = make(chan struct{})
}

// Now is the state at this moment, and a channel that closes when it changes.
func (c *Control) Now() (paused bool, rate int, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused, c.rate, c.wake
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
