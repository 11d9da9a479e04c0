package steps_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestRequired: what each kind of ceremony must have done is what its steps do.
func TestRequired(t *testing.T) {
	for _, c := range steps.All() {
		all, acts := steps.ActsOf(c)
		for i, opened := range all {
			if want := transcript.Required(opened); !slices.Equal(acts[i], want) {
				t.Errorf("%s, %v: the steps do %v, the table has %v", c.Kind, opened, acts[i], want)
			}
		}
	}
}

// TestCeremonyAdded: a ceremony that no file but its own knows is run, resumed by the log,
// verified, compared with the store, and printed as a script.
func TestCeremonyAdded(t *testing.T) {
	ctx := t.Context()
	parts, s := installed(t)
	room := nobody(parts)
	room.Answers["exit"] = "north"
	if err := engine.Run(ctx, *s, room, steps.Drill("ring")); err != nil {
		t.Fatal(err)
	}
	bundles, err := history.Rebuilt(ctx, site(t, parts).Store)
	if err != nil || len(bundles) != 2 {
		t.Fatalf("%d bundles, %v", len(bundles), err)
	}
	var reports []transcript.Report
	for _, b := range bundles {
		r, err := b.Verify()
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	if err := transcript.VerifyChain(reports); err != nil {
		t.Error(err)
	}
	if err := audit.Store(ctx, site(t, parts).Store, reports, true); err != nil {
		t.Error(err)
	}
	if script := steps.Drill("ring").Script("test", nil); !strings.Contains(script.Title, "drill") {
		t.Errorf("script %q", script.Title)
	}
}

// TestActWithoutApproval: a ceremony with an act that no approval covers does not run.
func TestActWithoutApproval(t *testing.T) {
	parts, s := installed(t)
	room := nobody(parts)
	room.Answers["exit"] = "north"
	err := engine.Run(t.Context(), *s, room, steps.Drill())
	if err == nil || !strings.Contains(err.Error(), "ceremony drill: act ring: no approval covers it") {
		t.Errorf("got %v", err)
	}
	if all, err := s.Store.Ceremonies(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d ceremonies were opened, %v", len(all), err)
	}
}
