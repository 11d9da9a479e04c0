package mongo

import (
	"context"
	"errors"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// The bounds of attempts, how long they go on, and what is between two.
const (
	selection = 5 * time.Second  // to find a server that can be written to
	attempt   = 15 * time.Second // of an operation on a few documents, and at first of one on many
	longest   = 2 * time.Minute  // of any answer: where it is large or much work, less is asked for
	patience  = time.Minute      // with a server, from the first attempt that failed
	pause     = 200 * time.Millisecond
	eachBatch = 0 // no bound of an attempt: do has one for each batch
)

// again does an operation on a few documents.
func (s *Store) again(ctx context.Context, do func(ctx context.Context, first bool) error) error {
	return s.within(ctx, s.testOnlyAttempt, do)
}

// within does an operation until the server gives an answer, each attempt within a bound, which doubles
// after silence. do is called again after an error that leaves open whether it happened: it must find
// out. While the store is being opened, silence is an answer: it may be the wrong address. This is the
// only place where anything is tried again: the driver's own retries are off, as they know no end but
// that of an attempt.
func (s *Store) within(ctx context.Context, bound time.Duration, do func(ctx context.Context, first bool) error) error {
	var ends time.Time
	var said error // the last answer that puts off
	for first := true; ; first = false {
		once, cancel := context.WithCancel(ctx)
		if bound != eachBatch {
			once, cancel = context.WithTimeout(ctx, bound)
		}
		err := do(once, first)
		cancel()
		if err == nil && s.asked.direct && !s.opening && !s.health.takesWrites() {
			err = errDemoted // what it shows may be old
		}
		if putOff(err) {
			said = err
		}
		if ends.IsZero() {
			ends = time.Now().Add(s.testOnlyPatience)
		}
		if err == nil || !open(err) || s.opening && !putOff(err) || ctx.Err() != nil || time.Now().After(ends) {
			return s.safe(reason(ctx, said, err))
		}
		if driver.IsTimeout(err) {
			bound = max(bound, min(2*bound, s.testOnlyLongest))
		}
		select {
		case <-ctx.Done():
			return s.safe(reason(ctx, said, err))
		case <-time.After(s.testOnlyPause):
		}
	}
}

// reason is why an operation failed: where the caller's time ended in an attempt, what a server said before, if any
// did. Nobody waited for the answer of that attempt.
func reason(ctx context.Context, said, err error) error {
	if said != nil && silent(err) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return said
	}
	return err
}
