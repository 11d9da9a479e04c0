package pkcs11

import "sync"

// shares gives the items of a batch out to sessions that work at once: many in the beginning, so that each
// goes into the module seldom, and one at a time in the end, so that none waits long for the last. One session has
// all in one call.
type shares struct {
	items, sessions int

	mu    sync.Mutex
	taken int
}

// take returns where the next share begins and ends. There is none left when these are the same.
func (s *shares) take() (begin, end int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.items - s.taken
	size := rest
	if s.sessions > 1 {
		size = min(rest, max(1, rest/(2*s.sessions)))
	}
	begin = s.taken
	s.taken += size
	return begin, s.taken
}
