package mongo

import (
	"context"
	"time"
)

// The bounds of attempts, how long they go on, and what is between two.
const (
	selection = 5 * time.Second  // to find a server that can be written to
	attempt   = 15 * time.Second // of an operation on a few documents
	portion   = 2 * time.Minute  // of one for which the server reads at most countPortion records
	long      = 30 * time.Minute // of one for which the server reads a whole collection
	patience  = time.Minute      // with a server, from the first attempt that failed
	pause     = 200 * time.Millisecond
)

// again does an operation until the server gives an answer, each attempt within a bound. do is called
// again after an error that leaves open whether it happened: it must find out. While the store is being
// opened, silence is an answer: it may be the wrong address. This is the only place where anything is
// tried again: the driver's own retries are off, as they know no end but that of an attempt.
func (s *Store) again(ctx context.Context, bound time.Duration, do func(ctx context.Context, first bool) error) error {
	var ends time.Time
	for first := true; ; first = false {
		once, cancel := context.WithTimeout(ctx, bound)
		err := do(once, first)
		cancel()
		if err == nil && s.asked.direct && !s.opening && !s.health.takesWrites() {
			err = errDemoted // what it shows may be old
		}
		if ends.IsZero() {
			ends = time.Now().Add(s.testOnlyPatience)
		}
		if err == nil || !open(err) || s.opening && !putOff(err) || ctx.Err() != nil || time.Now().After(ends) {
			return s.safe(err)
		}
		select {
		case <-ctx.Done():
			return s.safe(err)
		case <-time.After(s.testOnlyPause):
		}
	}
}
