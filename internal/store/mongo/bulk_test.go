package mongo

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAllAtOnce: as many commands as a server takes are under way at once, and no more.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	const atOnce = 4
	var mu sync.Mutex
	now, most := 0, 0
	together := make(chan struct{})
	err := bulks{atOnce: atOnce}.allAtOnce(2*atOnce, func(i int) error {
		mu.Lock()
		if now++; i < atOnce && now == atOnce {
			close(together)
		}
		most = max(most, now)
		mu.Unlock()
		defer func() {
			mu.Lock()
			now--
			mu.Unlock()
		}()
		select {
		case <-together:
			return nil
		case <-time.After(time.Minute):
			return errors.New("a command waits for the one before")
		}
	})
	if err != nil || most != atOnce {
		t.Errorf("%d at once, %v", most, err)
	}
}

// TestAllAtOnceEnds: after an error no further command begins, and those under way are waited for.
func TestAllAtOnceEnds(t *testing.T) {
	t.Parallel()
	var done atomic.Int32
	failed := errors.New("failed")
	err := bulks{atOnce: 2}.allAtOnce(6, func(i int) error {
		defer done.Add(1)
		if i == 2 {
			return failed
		}
		return nil
	})
	if !errors.Is(err, failed) || done.Load() != 4 {
		t.Errorf("%d done, %v", done.Load(), err)
	}
}
