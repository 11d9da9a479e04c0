package pkcs11

import (
	"sync"
	"testing"
)

// TestShares: sessions that work at once have each item once, none does more than its share, and the last shares are
// small.
func TestShares(t *testing.T) {
	const items, sessions = 2000, 8
	s := shares{items: items, sessions: sessions}
	var done [items]int
	var all sync.WaitGroup
	var mu sync.Mutex
	var sizes []int
	for range sessions {
		all.Go(func() {
			for {
				begin, end := s.take()
				if begin == end {
					return
				}
				mu.Lock()
				sizes = append(sizes, end-begin)
				for i := begin; i < end; i++ {
					done[i]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for i, n := range done {
		if n != 1 {
			t.Fatalf("item %d was given out %d times", i, n)
		}
	}
	small := 0
	for _, n := range sizes {
		if n > items/(2*sessions) {
			t.Errorf("a share of %d", n)
		}
		if n == 1 {
			small++
		}
	}
	if small < sessions {
		t.Errorf("%d shares of one item in %d", small, len(sizes))
	}
}

// TestSharesAlone: one session has all in one call.
func TestSharesAlone(t *testing.T) {
	s := shares{items: 1000, sessions: 1}
	if begin, end := s.take(); begin != 0 || end != 1000 {
		t.Errorf("%d to %d", begin, end)
	}
	if begin, end := s.take(); begin != end {
		t.Errorf("then %d to %d", begin, end)
	}
}
