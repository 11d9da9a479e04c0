package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestRewrappedInAll: a re-wrap is stopped in the middle, and another run ends it. The page that people sign says what
// the ceremony re-wrapped, and not what its last run did; where the first run could not say how much, so does the page.
func TestRewrappedInAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		killed bool // before the count is written
		want   string
	}{
		"stopped": {false, "12 envelopes re-wrapped, each checked before it was written. Of these, "},
		"killed":  {true, "At least "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, 12)
			ctx, stop := context.WithCancel(t.Context())
			parts, swaps := *r.site(), 0
			parts.Store = beforeSwap{parts.Store, func() bool {
				if swaps++; swaps == 3 {
					stop()
				}
				return true
			}}
			if c.killed {
				parts.Store = cutting{parts.Store, `"rewrapped"`}
			}
			err := engine.Run(ctx, parts, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2}))
			if !errors.Is(err, engine.ErrInterrupted) {
				t.Fatalf("got %v", err)
			}
			if c.killed {
				cutLine(t, bundles(t, r.parts, transcript.KindRotate)[0], `"rewrapped"`)
			}
			before, done, continues := 0, []string(nil), engine.View{}
			room := watched{nobody(r.parts), func(v engine.View) {
				if v.Progress != nil {
					before = v.Progress.Before
				}
				if v.Step == "attend" && strings.Contains(v.Why, "The one before stopped at step 1") {
					continues = v
				}
				if v.Ending != nil {
					done = v.Ending.Summary
				}
			}}
			if err := engine.Run(t.Context(), *r.site(), room, steps.Rotate(steps.Rotation{To: 2})); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(done, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("the page says\n%s\nwant %s", all, c.want)
			}
			const want = "Place and people, Approve the key, Generate the key, Canary, Copies of the key, Approve the plan, " +
				"Switch the writers"
			if got := earlier(continues); got != want {
				t.Errorf("done before: %s", got)
			}
			if c.killed != (before == 0) {
				t.Errorf("the page of the re-wrap says %d before", before)
			}
		})
	}
}

// earlier are the titles of a page's steps that are still ahead and done.
func earlier(v engine.View) string {
	var titles []string
	for i, s := range v.Steps {
		if s.Earlier && i+1 > v.N {
			titles = append(titles, s.Title)
		}
	}
	return strings.Join(titles, ", ")
}

// cutLine takes the last line from a bundle's log, which has what is given: the disk never got it.
func cutLine(t *testing.T, bundle, has string) {
	t.Helper()
	path := filepath.Join(bundle, "events.jsonl")
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.TrimSuffix(string(log), "\n")
	i := strings.LastIndexByte(whole, '\n') + 1
	if !strings.Contains(whole[i:], has) {
		t.Fatalf("the last line is %s", whole[i:])
	}
	if err := os.WriteFile(path, log[:i], 0o600); err != nil {
		t.Fatal(err)
	}
}
