package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// rotated is a running site after a rotation to version 2.
func rotated(t *testing.T, records int) running {
	t.Helper()
	r := newRunning(t, records)
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r running) disable(v kek.Version, room engine.Room) error {
	r.t.Helper()
	return engine.Run(r.t.Context(), *r.site(), room, steps.Disable(v))
}

func (r running) enable(v kek.Version, room engine.Room) error {
	r.t.Helper()
	return engine.Run(r.t.Context(), *r.site(), room, steps.Enable(v))
}

// states are those of the store's versions, from 1.
func (r running) states() (all []store.State) {
	r.t.Helper()
	keks, err := r.site().Store.KEKs(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range keks {
		all = append(all, k.State)
	}
	return all
}

func (r running) stands(v kek.Version, want store.State) {
	r.t.Helper()
	if all := r.states(); len(all) < int(v) || all[v-1] != want {
		r.t.Errorf("version %d: the states are %v, want %s", v, all, want)
	}
}

// history is that of the closed ceremonies, as the store has them.
func (r running) history() history.History {
	r.t.Helper()
	s := r.site().Store
	all, err := s.Ceremonies(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	h, err := history.Read(r.t.Context(), s, all)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// TestDisable: a version that was rotated away from is disabled, which every process acknowledges, and
// enabled again. Nothing else is done to it, and no rotation goes to it meanwhile.
func TestDisable(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	if err := r.disable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Disabled)
	how, ok := r.history().Disabled(1)
	if !ok || how.Wait != 30*24*time.Hour || how.Epoch != 2 || time.Since(how.Closed) > time.Minute {
		t.Errorf("disabled: %v, %t", how, ok)
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindDisable)[0])
	if err != nil || !strings.Contains(report.Facts["acknowledged"], "/app/") {
		t.Errorf("acknowledged by %q, %v", report.Facts["acknowledged"], err)
	}
	if err := r.disable(1, nobody(r.parts)); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("again: %v", err)
	}
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrDisabled) {
		t.Errorf("rotate to it: %v", err)
	}
	r.whole()
	if err := r.enable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Retired)
	if _, ok := r.history().Disabled(1); ok {
		t.Error("the logs say that it is disabled")
	}
	if err := r.enable(1, nobody(r.parts)); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("enable again: %v", err)
	}
	r.whole()
	if err := r.to(1, nobody(r.parts)); err != nil {
		t.Errorf("rotate to what was enabled: %v", err)
	}
}

// TestDisabledStays: a rotation leaves a disabled version as it is.
func TestDisabledStays(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	if err := r.disable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Disabled)
	r.stands(2, store.Retired)
	r.whole()
}

// TestDisableRefused: each refusal is before the first line of a ceremony, and changes nothing.
func TestDisableRefused(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	r.generate(3)
	r.writeLate(1, 5) // a late writer
	for name, c := range map[string]struct {
		err  error
		want error
		says string
	}{
		"active":           {r.disable(2, nobody(r.parts)), steps.ErrActive, "version 2"},
		"never used":       {r.disable(3, nobody(r.parts)), steps.ErrNotRetired, "version 3 is live"},
		"no such version":  {r.disable(9, nobody(r.parts)), steps.ErrNoSuchVersion, "version 9"},
		"envelopes at it":  {r.disable(1, nobody(r.parts)), steps.ErrNeeded, "module_credentials.encrypted_value (1)"},
		"enable no such":   {r.enable(9, nobody(r.parts)), steps.ErrNoSuchVersion, "version 9"},
		"enable no change": {r.enable(1, nobody(r.parts)), engine.ErrNothingDue, "version 1 is retired"},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: got %v", name, c.err)
		}
	}
	if n := r.ceremonies(); n != 3 {
		t.Errorf("%d ceremonies were begun", n-3)
	}
	r.stands(1, store.Retired)
}

// TestDisableStranger: an application writes envelopes of the version to a table that no catalogue names.
func TestDisableStranger(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	change(t, r.parts, `CREATE TABLE hidden (id INTEGER PRIMARY KEY, kek_version INTEGER, s_wrapped_dek BLOB, s_nonce BLOB,
		s_ciphertext BLOB, s_kek_version INTEGER, s_provider TEXT)`,
		`INSERT INTO hidden VALUES (1, 1, zeroblob(60), zeroblob(12), zeroblob(40), 1, 'env')`)
	if err := r.disable(1, nobody(r.parts)); !errors.Is(err, steps.ErrStrangers) || r.ceremonies() != 2 {
		t.Errorf("got %v, %d ceremonies", err, r.ceremonies())
	}
}

// atApproval is a room in which something happens before people sign the plan.
func (r running) atApproval(happens func()) consenting {
	room := consenting{Unattended: nobody(r.parts)}
	done := false
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve && !done {
			done = true
			happens()
		}
		return room.Unattended.Consent(ctx, q)
	}
	return room
}

// TestDisableLateWriter: while people sign, a writer that slept writes with the version. It is counted again
// directly before the act, and nothing is disabled.
func TestDisableLateWriter(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	if err := r.disable(1, r.atApproval(func() { r.writeLate(1, 4) })); !errors.Is(err, steps.ErrNeeded) {
		t.Fatal(err)
	}
	r.stands(1, store.Retired)
	r.abort()
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.disable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// afterAct is a room in which something happens once an act was done, at the next thing it shows.
type afterAct struct {
	*engine.Unattended
	step    string
	happens func()
	done    bool
}

func (a *afterAct) Show(v engine.View) {
	if v.Step == a.step && !a.done {
		a.done = true
		a.happens()
	}
	a.Unattended.Show(v)
}

// TestDisableTooLate: an envelope of the version comes when it is disabled already. The ceremony does not
// close over it; it is aborted, the version enabled, and the envelope re-wrapped.
func TestDisableTooLate(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	room := &afterAct{Unattended: nobody(r.parts), step: "recount", happens: func() { r.writeLate(1, 4) }}
	if err := r.disable(1, room); !errors.Is(err, steps.ErrNeeded) {
		t.Fatal(err)
	}
	r.stands(1, store.Disabled)
	r.abort()
	if _, ok := r.history().Disabled(1); ok {
		t.Error("an aborted ceremony begins the waiting period")
	}
	r.whole()
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrDisabled) {
		t.Errorf("rotate to it: %v", err)
	}
	if err := r.enable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestDisableNotAcknowledged: a process hangs before it has read the new state, and is live still. The
// ceremony waits for it, and once it falls silent people must account for it.
func TestDisableNotAcknowledged(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	hangs := r.report("worker")
	room := &afterAct{Unattended: nobody(r.parts), step: transcript.ActDisable, happens: hangs}
	err := r.disable(1, room)
	var deviation *engine.DeviationError
	if !errors.Is(err, steps.ErrFellSilent) || !errors.As(err, &deviation) ||
		!strings.Contains(deviation.Seen, "/worker/") {
		t.Fatalf("got %v", err)
	}
	room.Answers[engine.AnswerDeviation+"fell_silent"] = "the host burned; bob saw it"
	if err := r.disable(1, room); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestDisableTerms: roles that nobody counts and a shorter waiting period are deviations that stand in the
// plan; what the configuration says later changes nothing.
func TestDisableTerms(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	s := r.site()
	s.Mode = quorum.Rehearsal
	s.Fleet.Uncounted = []string{"report", "batch"}
	s.Policy = engine.Policy{BackupRetention: 90 * 24 * time.Hour}
	run := func(room engine.Room) error { return engine.Run(t.Context(), *s, room, steps.Disable(1)) }
	room := nobody(r.parts)
	err := run(room)
	var deviation *engine.DeviationError
	if !errors.Is(err, steps.ErrUncounted) || !errors.As(err, &deviation) || deviation.Seen != "batch, report" {
		t.Fatalf("got %v", err)
	}
	room.Answers[engine.AnswerDeviation+"uncounted"] = "they read nothing older than a week"
	if err := run(room); err != nil {
		t.Fatal(err)
	}
	plans, err := filepath.Glob(filepath.Join(bundles(t, r.parts, transcript.KindDisable)[0], "*-plan.txt"))
	if err != nil || len(plans) != 1 {
		t.Fatal(plans, err)
	}
	plan, err := os.ReadFile(plans[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nversion: 1\n", "\nwait: 2160h0m0s\n", "\ndeviation: uncounted: ", "batch, report\n"} {
		if !strings.Contains(string(plan), want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	if how, ok := r.history().Disabled(1); !ok || how.Wait != 90*24*time.Hour {
		t.Errorf("disabled: %v, %t", how, ok)
	}
}

// stuckPointer is a store whose pointer does not move.
type stuckPointer struct{ store.Store }

func (stuckPointer) MoveActive(context.Context, store.Active, store.Active) error {
	return errors.New("the store is gone")
}

// TestDisableInterrupted: a run ends between its two writes, of the state and of the pointer. The same command
// continues, and every process acknowledges.
func TestDisableInterrupted(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	s := r.site()
	s.Store = stuckPointer{s.Store}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Disable(1)); err == nil {
		t.Fatal("the pointer did not move, and the ceremony was done")
	}
	r.stands(1, store.Disabled)
	if err := r.disable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if how, ok := r.history().Disabled(1); !ok || how.Epoch != 2 {
		t.Errorf("disabled: %v, %t", how, ok)
	}
	r.whole()
}
