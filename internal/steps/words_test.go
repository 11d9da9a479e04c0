package steps

import (
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestTokenFirst: what people must recognize comes before all else that a provider reports.
func TestTokenFirst(t *testing.T) {
	got := tokenFirst(Facts{"firmware": "2.6", "serial": "6fdd", "module_sha256": "00", "token": "kek", "model": "M"})
	if want := []string{"token", "serial", "module_sha256", "firmware", "model"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestDestroySummary: the page that people sign says what was done, and when, before what was looked for after it.
func TestDestroySummary(t *testing.T) {
	log := transcript.Events{{Kind: transcript.Done, Step: transcript.ActDestroy, Time: "2026-11-27T03:39:02Z"}}
	for want, f := range map[string]Facts{
		"was destroyed at 2026-11-27 03:39:02 UTC.":                           {},
		"was removed from the configuration here at 2026-11-27 03:39:02 UTC.": {transcript.FactOnToken: "no"},
		"was recorded as gone at ":                                            {transcript.FactGone: "yes"},
		"What became of the open copies of version 1 was recorded":            {transcript.FactCloses: "yes"},
	} {
		f[transcript.FactVersion], f[factSearched] = "1", "label kek: 0"
		if got := summarizeDestroy(f, log); !strings.Contains(got[0], want) || !strings.HasPrefix(got[1], "Then the key") {
			t.Errorf("%q, want %q", got[:2], want)
		}
	}
}

// TestReachedToken: who approves a lock sees the token that it is for, where there is one.
func TestReachedToken(t *testing.T) {
	s := &Site{}
	if got := reachedToken(s); got != "" {
		t.Errorf("without a token: %q", got)
	}
	s.Reached, s.Kind = map[string]string{"token": "kek", "serial": "6fdd"}, env.Config{}
	if got := lock().Act.Plan(s, nil)[0].Estimate; got != "with token kek, serial 6fdd" {
		t.Errorf("got %q", got)
	}
}
