package steps_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// copied makes a copy of the store, as a backup does.
func (r running) copied() string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "copy.db")
	change(r.t, r.parts, "VACUUM INTO '"+path+"'")
	return path
}

// lose takes everything of ours out of the store but heartbeats.
func lose(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	change(t, parts, "DELETE FROM kek_install; DELETE FROM kek_versions; DELETE FROM kek_active; "+
		"DELETE FROM kek_ceremonies; DELETE FROM kek_events")
}

// reconcile runs a reconciliation.
func (r running) reconcile(room engine.Room) error {
	r.t.Helper()
	s := r.site()
	m, err := history.Merge(r.t.Context(), s.Store, s.Bundles)
	if err != nil {
		return err
	}
	s.Store = m
	return engine.Run(r.t.Context(), *s, room, steps.Reconcile())
}

// whole verifies the bundles as a chain, and compares the store with them.
func (r running) whole() []transcript.Report {
	r.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(r.parts.Bundles(), "[0-9]*"))
	if err != nil {
		r.t.Fatal(err)
	}
	var reports []transcript.Report
	for _, dir := range dirs {
		report, err := transcript.Verify(dir)
		if err != nil {
			r.t.Fatal(dir, err)
		}
		reports = append(reports, report)
	}
	if err := transcript.VerifyChain(reports); err != nil {
		r.t.Error(err)
	}
	if err := audit.Store(r.t.Context(), r.site().Store, reports, true); err != nil {
		r.t.Error(err)
	}
	return reports
}

// TestReconcile: the store is restored from a copy made before a rotation, whose bundles this
// console has. The next ceremony is refused; M sign what is taken over, and the rotation that
// is due then goes through its gate.
func TestReconcile(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	restore(t, r.parts, older)
	if err := r.rotate(r.nobodySigns()); !errors.Is(err, transcript.ErrWentBack) {
		t.Errorf("a rotation over it: %v", err)
	}
	var plan string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve {
			for _, e := range q.Plan {
				plan += e.Verb + " " + e.Object + "\n"
			}
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.reconcile(room); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rebuild version 2 of key kek-", "take over ceremonies 2 rotate (all ",
		"record the versions as they are: 1 active, 2 live"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q:\n%s", want, plan)
		}
	}
	reports := r.whole()
	if facts := reports[2].Facts; facts["due"] != "0" || facts["was_active"] != "2" || facts["active"] != "1" {
		t.Errorf("it counted %v", facts)
	}
	if err := r.reconcile(r.nobodySigns()); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("once more: %v", err)
	}
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if r.left() != 0 {
		t.Errorf("%d left", r.left())
	}
	r.whole()
}

// TestReconcileEmpty: the store lost everything but its records, lock and pointer as well.
func TestReconcileEmpty(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	lose(t, r.parts)
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileUnfinished: the store is restored while a rotation is unfinished: lines that it
// accepted are gone. The rotation is aborted over the bundle's lines, and then taken over.
func TestReconcileUnfinished(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	s := r.site()
	s.Store = cutting{s.Store, `"kind":"begun","step":"re-wrap"`}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
		t.Fatal("the store was not gone")
	}
	restore(t, r.parts, older)
	if err := r.reconcile(r.nobodySigns()); !errors.Is(err, engine.ErrUnfinished) {
		t.Errorf("over an unfinished one: %v", err)
	}
	var told string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Final {
			told = q.Warning
		}
		return room.Unattended.Consent(ctx, q)
	}
	s = r.site()
	m, err := history.Merge(t.Context(), s.Store, s.Bundles)
	if err != nil {
		t.Fatal(err)
	}
	s.Store = m
	if err := engine.Abort(t.Context(), *s, room, steps.All()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told, "switch was done, and it is not in effect") {
		t.Errorf("told %q", told)
	}
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileFork: people went on with the restored store, or somebody edited what it has.
// Neither history is a beginning of the other: nothing is taken over.
func TestReconcileFork(t *testing.T) {
	t.Parallel()
	for name, fork := range map[string]func(r running){
		"another second ceremony": func(r running) {
			change(r.t, r.parts, "INSERT INTO kek_ceremonies "+
				"VALUES (2, 'rotate', 'rehearsal', '2026-01-01T000000Z-0002-rotate', '', '', '')")
		},
		"an edited line": func(r running) {
			change(r.t, r.parts, "UPDATE kek_events SET data = CAST(replace(data, 'tool', 'Tool') AS BLOB) "+
				"WHERE ceremony = 1 AND name = '000000'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, 3)
			older := r.copied()
			if err := r.rotate(nobody(r.parts)); err != nil {
				t.Fatal(err)
			}
			restore(t, r.parts, older)
			fork(r)
			if err := r.reconcile(r.nobodySigns()); !errors.Is(err, history.ErrFork) {
				t.Errorf("got %v", err)
			}
		})
	}
}
