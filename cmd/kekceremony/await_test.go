package main_test

import "time"

// hangs is when something hangs. It is longer than anything here takes on a busy machine.
const hangs = 4 * time.Minute

// await looks again and again until done reports true. False: it never did.
func await(done func() bool) bool {
	tick := time.NewTicker(60 * time.Millisecond)
	defer tick.Stop()
	for guard := time.After(hangs); !done(); {
		select {
		case <-tick.C:
		case <-guard:
			return false
		}
	}
	return true
}
