package steps

import (
	"testing"
	"time"
)

// TestTimesOfPages: a fact has a time as programs read it, and a page has it as people do.
func TestTimesOfPages(t *testing.T) {
	const counted, want = "none at version 1 at 2026-11-23T14:17:25Z", "none at version 1 at 2026-11-23 14:17:25 UTC"
	if got := unneededDetails(counted)[0].Value; got != want {
		t.Errorf("before the destruction: %s", got)
	}
	s := &Site{}
	got := destroyedDetails(s, Facts{factUnusedStill: counted}, time.Time{})[1].Value
	if got != "envelopes: "+want+"; no process had the key" {
		t.Errorf("after it: %s", got)
	}
}
