package steps_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestDestroyRestored: the store is restored from a copy that does not know of a destruction, and then loses
// everything. The chain knows: after each reconciliation the version is destroyed, and its row says so.
func TestDestroyRestored(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	older := r.copied()
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	for name, lost := range map[string]func(){
		"an older copy": func() { restore(t, r.parts, older) },
		"all":           func() { lose(t, r.parts) },
	} {
		lost()
		if err := r.enable(1, nobody(r.parts)); err == nil {
			t.Errorf("%s: the version was enabled", name)
		}
		if err := r.reconcile(nobody(r.parts)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.stands(1, store.Destroyed)
		if made := r.history().Versions().Made[1]; made.State != store.Destroyed {
			t.Errorf("%s: the logs say %s", name, made.State)
		}
		if err := r.destroy(nil); !errors.Is(err, engine.ErrNothingDue) {
			t.Errorf("%s: %v", name, err)
		}
		r.whole()
	}
}

// TestDisableRestored: refusals may be lost with what a restored store lost. A version that was disabled before is
// not destroyed: it is disabled again, and its waiting period begins then.
func TestDisableRestored(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	older := r.copied()
	r.generate(3)
	restore(t, r.parts, older)
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(nil); !errors.Is(err, steps.ErrNotDisabled) {
		t.Errorf("got %v", err)
	}
	r.untouched()
}

// TestReconcileNeverDestroys: somebody who can write the store takes a line away, so that a reconciliation is due, and
// has a row say that a version is destroyed. Else M would sign that it is, nobody would use it again, and its key
// would be there for anybody to find. A destruction is what a ceremony did, never what a row says.
func TestReconcileNeverDestroys(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	older := r.copied()
	r.generate(3)
	for _, state := range []store.State{store.Destroying, store.Destroyed} {
		restore(t, r.parts, older)
		change(t, r.parts, "UPDATE kek_versions SET state = '"+string(state)+"' WHERE id = 1")
		err, says := r.reconcile(nobody(r.parts)), "version 1 was disabled, is "+string(state)
		if !errors.Is(err, history.ErrNotDestroyed) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", state, err)
		}
	}
	change(t, r.parts, "UPDATE kek_versions SET state = 'disabled' WHERE id = 1")
	if err := r.reconcile(nobody(r.parts)); err != nil || !r.hasKey(1) {
		t.Fatal(err)
	}
	if made := r.history().Versions().Made[1]; made.State != store.Disabled {
		t.Errorf("the logs say %s", made.State)
	}
	r.whole()
}

// TestDisableClocks: a waiting period begins at the last line of a disable. None is run under a clock that was set
// back.
func TestDisableClocks(t *testing.T) {
	t.Parallel()
	r := rotated(t, 0)
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		s := r.site()
		s.Store = later{s.Store, by}
		if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Disable(1)); !errors.Is(err, steps.ErrClocks) {
			t.Errorf("%s: %v", by, err)
		}
	}
	if n := r.ceremonies(); n != 2 {
		t.Errorf("%d ceremonies", n)
	}
}

// TestDisableWait: in production a waiting period under 30 days, or than backups are kept, is a deviation.
func TestDisableWait(t *testing.T) {
	var look func(s *engine.Site) (transcript.Facts, error)
	for _, step := range steps.Disable(1).Steps(transcript.Facts{}) {
		if step.Name == "terms" {
			look = func(s *engine.Site) (transcript.Facts, error) {
				return step.Look(t.Context(), s, nil, engine.Desk{Show: func(func(*engine.View)) {}})
			}
		}
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		mode         quorum.Mode
		wait, backup time.Duration
		want         string // "": a deviation
	}{
		{quorum.Production, 0, 0, "720h0m0s"},
		{quorum.Production, 0, 90 * day, "2160h0m0s"},
		{quorum.Production, 60 * day, 0, "1440h0m0s"},
		{quorum.Production, 29 * day, 0, ""},
		{quorum.Production, 60 * day, 90 * day, ""},
		{quorum.Rehearsal, time.Second, 90 * day, "1s"},
	} {
		s := &engine.Site{Parts: engine.Parts{Mode: c.mode,
			Policy: engine.Policy{DestroyWait: c.wait, BackupRetention: c.backup}}}
		facts, err := look(s)
		if c.want == "" {
			var d *engine.DeviationError
			if !errors.Is(err, steps.ErrWait) || !errors.As(err, &d) || d.What != "wait" || d.Seen != c.wait.String() {
				t.Errorf("%v: got %v", c, err)
			}
		} else if err != nil || facts[transcript.FactWait] != c.want {
			t.Errorf("%v: %v, %v", c, facts, err)
		}
	}
}
