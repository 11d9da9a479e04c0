package mongo

import "time"

// Hasten has a store try often, and give up soon.
func (s *Store) Hasten(patience time.Duration) {
	s.testOnlyPatience, s.testOnlyPause = patience, 5*time.Millisecond
}

// Attempt is how long a store waits for a portion of a scan at first.
func (s *Store) Attempt(bound time.Duration) { s.testOnlyAttempt = bound }

// Count is how many records a store counts at once.
func (s *Store) Count(n int) { s.testOnlyCount = n }

// Target is what a URI says.
func Target(uri string) (hosts []string, database string, err error) {
	o, database, err := target(uri)
	if err != nil {
		return nil, "", err
	}
	return o.Hosts, database, nil
}
