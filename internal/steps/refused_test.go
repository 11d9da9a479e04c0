package steps_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// forges has somebody write a refusal into the store.
func (r running) forges(process, role string) {
	r.t.Helper()
	if err := r.site().Store.Refuse(r.t.Context(), process, role, 1, 7); err != nil {
		r.t.Fatal(err)
	}
}

// setAside is the deviation that a destruction stops at; nil: it is none.
func setAside(t *testing.T, err error) *engine.DeviationError {
	t.Helper()
	var d *engine.DeviationError
	if !errors.Is(err, steps.ErrRefused) {
		t.Fatalf("got %v", err)
	}
	_ = errors.As(err, &d)
	return d
}

// TestRefusalForged: somebody who can write to the store forges a refusal, which would stop every destruction.
// People set it aside: it stands in the plan and in the transcript, with process, host and time. It covers no other.
func TestRefusalForged(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	const forged = "db9\x1b]0;/backup/1/000000-00000000"
	r.forges(forged, "backup")
	room := nobody(r.parts)
	room.Answers[engine.AnswerDeviation+"refusal"] = "any will do"
	d := setAside(t, engine.Run(t.Context(), *r.site(), room, steps.Destroy(1)))
	if d == nil ||
		!strings.Contains(d.Error(), `is process db9\u{1b}]0;/backup/1/000000-00000000 on host db9\u{1b}]0;, `) ||
		!strings.Contains(d.Seen, "role backup, refused 1 envelopes, the last at 20") {
		t.Fatalf("people see %v", d)
	}
	room.Answers[engine.AnswerDeviation+d.What] = "no process is called so; ticket 4711"
	again := r.atApproval(func() { r.forges(forged, "backup") })
	again.Answers = room.Answers
	if later := setAside(t, engine.Run(t.Context(), *r.site(), again, steps.Destroy(1))); later != nil {
		t.Errorf("one that came after the approval was offered: %v", later)
	}
	r.stands(1, store.Disabled)
	second := setAside(t, engine.Run(t.Context(), *r.site(), room, steps.Destroy(1)))
	if second == nil || second.What == d.What || !strings.Contains(second.Seen, "refused 2 envelopes") {
		t.Fatalf("the second one: %v", second)
	}
	room.Answers[engine.AnswerDeviation+second.What] = "and neither is this"
	if err := engine.Run(t.Context(), *r.site(), room, steps.Destroy(1)); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	dir := bundles(t, r.parts, transcript.KindDestroy)[0]
	plans, err := filepath.Glob(filepath.Join(dir, "*-plan.txt"))
	if err != nil || len(plans) == 0 {
		t.Fatal(plans, err)
	}
	plan, err := os.ReadFile(plans[len(plans)-1])
	if err != nil || !strings.Contains(string(plan), "\ndeviation: "+second.What+": was none of version 1 ") {
		t.Errorf("%v, the plan is\n%s", err, plan)
	}
	r.whole()
}

// TestRefusalOfTheFleet: a refusal by a process that is expected or has ever reported, and by a role that nobody
// counts, is never set aside, no matter who wrote it.
func TestRefusalOfTheFleet(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	stopped := store.Heartbeat{Process: "db7/night/4711/120000-0000beef", Role: "night", Number: 1, Stopped: true}
	if err := r.site().Store.Heartbeat(t.Context(), stopped); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ process, role string }{
		"an expected role":          {"db9/app/1/1", "app"},
		"a role that once reported": {"db9/night/1/1", "night"},
		"a process of another role": {stopped.Process, "backup"},
		"a role that is uncounted":  {"db9/report/1/1", "report"},
	} {
		r.forges(c.process, c.role)
		s := r.site()
		s.Fleet.Uncounted = []string{"report"}
		if d := setAside(t, engine.Run(t.Context(), *s, nobody(r.parts), steps.Destroy(1))); d != nil {
			t.Errorf("%s: people may decide: %v", name, d)
		}
		change(t, r.parts, "DELETE FROM kek_refusals")
	}
	r.untouched()
}

// TestRefusalOfForgotten: a role that nobody expects refused an envelope, and stopped. A rotation forgets heartbeats of
// long ago. The refusal is still a true one, which people cannot set aside.
func TestRefusalOfForgotten(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	const night = "db1/night/1/000000-00000000"
	b := store.Heartbeat{Process: night, Role: "night", Stopped: true}
	if err := r.site().Store.Heartbeat(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	change(t, r.parts, "UPDATE process_heartbeats SET seen = '2020-01-01T00:00:00.000Z' WHERE id = '"+night+"'")
	r.forges(night, "night")
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if d := setAside(t, r.destroy(nil)); d != nil {
		t.Errorf("people may set it aside: %v", d)
	}
	r.stands(1, store.Disabled)
}
