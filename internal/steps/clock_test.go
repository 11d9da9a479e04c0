package steps

import (
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// TestClock: four minutes off are refused, and two hours off as well, each with which clock is how
// far from which; people name a time zone, or record the difference.
func TestClock(t *testing.T) {
	roster, err := quorum.ParseRoster([]byte(transcripttest.RosterOf(1, quorum.Rehearsal,
		transcripttest.Operator(t, "alice"))), quorum.Rehearsal)
	if err != nil {
		t.Fatal(err)
	}
	site := &Site{Roster: roster}
	berlin := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 23, 14, 5, 30, 0, time.UTC)
	for answer, want := range map[string]string{
		"2026-11-23 14:05, alice":                             "",
		"2026-11-23 14:03, alice":                             "",
		"2026-11-23 15:05, alice":                             "", // the console's own zone
		"2026-11-23 16:05 +02:00, alice":                      "",
		"2026-11-23 19:50 +05:45, alice":                      "",
		"2026-11-23 14:10, alice":                             "5 min ahead of the console's clock, which shows",
		"2026-11-23 16:05, alice":                             "the wall clock is 1 h 0 min ahead of",
		"2026-11-23 12:05, alice":                             "the wall clock is 2 h 1 min behind",
		"2025-11-23 14:05, alice":                             "the wall clock is 365 days 0 h 1 min behind",
		"2026-11-23 14:10, mallory":                           "use names of the roster",
		"2026-11-23 14:10, alice, late":                       "want YYYY-MM-DD HH:MM, NAME",
		"2026-11-23, alice":                                   "want YYYY-MM-DD HH:MM, NAME",
		"2026-11-23 14:10, alice, differs: 123456":            "PIN",
		"2026-11-23 14:10, alice, differs: nobody may set it": "recorded: 5 min ahead of the console's clock",
	} {
		difference, err := checkClock(site, answer, now.In(berlin))
		got := ""
		if err != nil {
			got = err.Error()
		} else if difference != "" {
			got = "recorded: " + difference
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", answer, got, want)
		}
	}
}
