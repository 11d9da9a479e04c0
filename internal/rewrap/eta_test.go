package rewrap

import (
	"testing"
	"time"
)

// TestETAUnderLimit: a limit that is lower than what was measured counts from the moment that it is set.
func TestETAUnderLimit(t *testing.T) {
	var m meter
	for range 20 {
		m.add(time.Second, 30)
	}
	for limit, want := range map[int]time.Duration{0: 11 * time.Second, 15: 22 * time.Second, 100: 11 * time.Second} {
		if got := m.eta(325, 925, limit); !got.Known || got.From != want || got.To != want {
			t.Errorf("limit %d: %+v, want %s", limit, got, want)
		}
	}
}
