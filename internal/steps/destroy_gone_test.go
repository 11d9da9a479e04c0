package steps_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
)

// TestDisabledGone: somebody deletes the key of a disabled version with another tool. That blocks no ceremony for good:
// people decide to continue, and sign that the version is recorded as destroyed. Nobody enables it.
func TestDisabledGone(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	_ = r.secondConsole(false)
	if err := os.Rename(filepath.Join(r.parts.Dir, "second.env"), filepath.Join(r.parts.Dir, "secrets.env")); err != nil {
		t.Fatal(err)
	}
	room := nobody(r.parts)
	var d *engine.DeviationError
	if err := r.to(3, room); !errors.As(err, &d) || !errors.Is(err, provider.ErrNoKey) || d.What != "key_gone_1" {
		t.Fatalf("rotate: %v", err)
	}
	room.Answers["deviation.key_gone_1"] = "deleted by mistake, ticket 4711"
	if err := r.to(3, room); err != nil {
		t.Fatal(err)
	}
	if err := r.enable(1, room); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("enable: %v", err)
	}
	s := r.site()
	if err := engine.Abort(t.Context(), *s, room, steps.All()); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(nil); !errors.Is(err, provider.ErrNoKey) {
		t.Fatalf("destroy: %v", err)
	}
	if err := r.destroy(nil, "deviation.key_gone_1", "deleted by mistake, ticket 4711"); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindDestroy)[0])
	if err != nil || report.Facts["gone_before"] != "yes" {
		t.Errorf("the transcript says %q, %v", report.Facts["gone_before"], err)
	}
	if said := render.Sentence(report, doneLine(report)); !strings.Contains(said, "no ceremony destroyed it") {
		t.Errorf("the report says %q", said)
	}
	r.whole()
}

// doneLine is the line that says that the destruction is done.
func doneLine(r transcript.Report) int {
	return slices.IndexFunc(r.Events, func(e transcript.Event) bool {
		return e.Kind == transcript.Done && e.Step == transcript.ActDestroy
	})
}

// TestDestroyRowChanged: somebody changes the row of a version whose key was destroyed here, with a copy open. The
// chain is believed: people decide that the row is wrong, and the same command closes the copy. Nothing enables it.
func TestDestroyRowChanged(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := r.destroy(nil, "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatal(err)
	}
	change(t, r.parts, "UPDATE kek_versions SET state = 'disabled' WHERE id = 1")
	if err := r.enable(1, nobody(r.parts)); !errors.Is(err, steps.ErrDestroyed) {
		t.Errorf("enable: %v", err)
	}
	gone := "5b1f: destroyed and searched for, bob, 2027-02-01"
	var d *engine.DeviationError
	if err := r.destroy(nil, "verdicts", gone); !errors.As(err, &d) || !errors.Is(err, history.ErrVersions) {
		t.Fatalf("destroy: %v", err)
	}
	if err := r.destroy(nil, "verdicts", gone, "deviation."+d.What, "somebody wrote there, ticket 4711"); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	r.whole()
}

// TestEnableRowChanged: somebody writes into the row of a disabled version that its destruction was begun. No ceremony
// says so, and the key is whole: people decide that the row is wrong, and enable the version.
func TestEnableRowChanged(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	change(t, r.parts, "UPDATE kek_versions SET state = 'destroying' WHERE id = 1")
	room := nobody(r.parts)
	var d *engine.DeviationError
	if err := r.enable(1, room); !errors.As(err, &d) || !errors.Is(err, history.ErrVersions) {
		t.Fatalf("enable: %v", err)
	}
	room.Answers["deviation."+d.What] = "somebody wrote there, ticket 4711"
	if err := r.enable(1, room); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Retired)
	r.whole()
}
