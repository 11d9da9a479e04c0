package mongo

import "time"

// Hasten has a store try often, and give up soon.
func (s *Store) Hasten(patience time.Duration) {
	s.testOnlyPatience, s.testOnlyPause = patience, 5*time.Millisecond
}

// Target is what a URI says.
func Target(uri string) (hosts []string, database string, err error) {
	o, database, err := target(uri)
	if err != nil {
		return nil, "", err
	}
	return o.Hosts, database, nil
}
