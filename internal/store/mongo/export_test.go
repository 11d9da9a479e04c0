package mongo

import (
	"context"
	"time"
)

// Hasten has a store try often, and give up soon.
func (s *Store) Hasten(patience time.Duration) {
	s.testOnlyPatience, s.testOnlyPause = patience, 5*time.Millisecond
}

// Attempt is how long a store waits for an answer at first, and at most.
func (s *Store) Attempt(first, longest time.Duration) {
	s.testOnlyAttempt, s.testOnlyLongest = first, longest
}

// OpenSoon opens a store that waits so long for an answer.
func OpenSoon(ctx context.Context, uri string, attempt time.Duration) (*Store, error) {
	s, err := connect(uri)
	if err != nil {
		return nil, err
	}
	s.testOnlyAttempt = attempt
	return s.opened(ctx)
}

// Reach is how many records a server looks at for one answer, where it looks at many.
func (s *Store) Reach(n int) { s.testOnlyReach = n }

// Bulks is how many records are written in one command, and in how many at once.
func (s *Store) Bulks(size, atOnce int) {
	s.bulks = bulks{size, atOnce}
	s.fewer.Store(0)
}

// PageSize is how many bytes a page has.
func (s *Store) PageSize(n int) { s.testOnlyPageSize = n }

// Target is what a URI says.
func Target(uri string) (hosts []string, database string, err error) {
	o, database, err := target(uri)
	if err != nil {
		return nil, "", err
	}
	return o.Hosts, database, nil
}
