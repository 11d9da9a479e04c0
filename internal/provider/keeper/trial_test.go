package keeper

import (
	"strings"
	"testing"
	"time"
)

// TestTrials: processes that gain nothing are kept for another trial, which begins later, and are ended after the
// last one.
func TestTrials(t *testing.T) {
	t.Parallel()
	m := &many{withPIN: withPIN{&Provider{}}}
	for n := 1; n <= trials; n++ {
		before := m.ended
		for m.ended == before { // each way takes the same time
			m.observe(512, 30*time.Millisecond)
		}
		later := time.Until(m.next) > trialPause/2
		if says := m.Workers(); m.decided || n < trials && !(later && strings.Contains(says, "to be tried again")) ||
			n == trials && !strings.Contains(says, "in 1 process: more are not faster") {
			t.Errorf("after %d: %s, next in %s", n, says, time.Until(m.next))
		}
		m.next = time.Time{}
	}
}
