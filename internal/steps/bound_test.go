package steps_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// bind runs a rotation to version 2 that binds it, or continues it.
func (r running) bind(
	ctx context.Context, room engine.Room, rotation steps.Rotation, change ...func(*engine.Parts),
) error {
	r.t.Helper()
	s := r.site()
	s.Bind = true
	for _, c := range change {
		c(s)
	}
	rotation.To = 2
	return engine.Run(ctx, *s, room, steps.Rotate(rotation))
}

// waiting is a room that is told what helps where the fleet may not continue yet.
type waiting struct {
	*engine.Unattended
	helps func(remedy string)
}

func (w *waiting) Show(v engine.View) {
	if v.Fleet != nil && v.Waiting != "" {
		w.helps(v.Remedy)
	}
	w.Unattended.Show(v)
}

// row is that of a version.
func (r running) row(v kek.Version) store.KEK {
	r.t.Helper()
	keks, err := r.site().Store.KEKs(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range keks {
		if k.Version == v {
			return k
		}
	}
	r.t.Fatalf("no version %d", v)
	return store.KEK{}
}

// TestBoundGate: a process that does not say that it can bind has the key of a bound version, and would
// write what nobody else opens. The rotation waits for it by name, says how to restart it once a heartbeat
// did not help, and moves nothing.
func TestBoundGate(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3) // its process cannot
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var said []string
	room := &waiting{Unattended: nobody(r.parts)}
	room.Report = func(line string) {
		if strings.HasPrefix(line, "waiting: processes without version 2: ") && strings.Contains(line, "/app/") {
			said = append(said, line)
		}
	}
	room.helps = func(remedy string) {
		if strings.Contains(remedy, "restart it there") {
			stop()
		}
	}
	err := r.bind(ctx, room, steps.Rotation{})
	if !errors.Is(err, engine.ErrInterrupted) || len(said) != 2 ||
		!strings.HasSuffix(said[0], "UTC. Each looks for its key at its next heartbeat.") ||
		!strings.HasSuffix(said[1], "kekceremony agent --role app") {
		t.Fatalf("it did not wait for the process that cannot bind: %v, %q", err, said)
	}
	if active, err := r.site().Store.Active(t.Context()); err != nil || active.Version != 1 || r.left() != 3 {
		t.Errorf("version %d is active, %d left, %v", active.Version, r.left(), err)
	}
}

// TestBoundRebuilt: a store lost every row of ours. The row that a reconciliation makes of a bound version
// is bound: the log of its ceremony says so. Rotating back to what is not bound, and to it again, loses
// nothing.
func TestBoundRebuilt(t *testing.T) {
	t.Parallel()
	r := bindsAll(t)
	if err := r.bind(t.Context(), nobody(r.parts), steps.Rotation{}); err != nil {
		t.Fatal(err)
	}
	lose(t, r.parts)
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if one, two := r.row(1), r.row(2); one.Bound || !two.Bound {
		t.Errorf("bound: version 1 %t, version 2 %t", one.Bound, two.Bound)
	}
	r.whole()
	for _, to := range []kek.Version{1, 2} {
		if err := engine.Run(t.Context(), *r.site(), nobody(r.parts), steps.Rotate(steps.Rotation{To: to})); err != nil {
			t.Fatal(to, err)
		}
		if left, _, err := rewrap.Census(t.Context(), r.site().Store, r.site().Catalogue, to, nil); err != nil || left != 0 {
			t.Errorf("to version %d: %d left, %v", to, left, err)
		}
	}
}

// bindsAll has three records, and one process, which can bind.
func bindsAll(t *testing.T) running {
	t.Helper()
	r := idle(t, 3)
	r.binds = true
	r.report("app")
	return r
}

// TestBoundUnnamed: the id of a record is none that an envelope can be bound to. The rotation names it before
// it makes or moves anything. People may exclude it.
func TestBoundUnnamed(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	place := envelope.DefaultCatalogue()[0]
	change(t, r.parts, "UPDATE "+place.Collection+" SET id = 1.5")
	err := r.bind(t.Context(), r.nobodySigns(), steps.Rotation{})
	if !errors.Is(err, rewrap.ErrUnnamed) || !strings.HasSuffix(err.Error(), ": "+place.String()+" 1.5") {
		t.Fatalf("got %v", err)
	}
	if all := bundles(t, r.parts, transcript.KindRotate); len(all) != 0 {
		t.Errorf("a ceremony was opened: %v", all)
	}
}

// TestBoundUnchecked: only the application can open the payloads of a place. M accept that nobody checks
// them before their data keys are bound for good, or nothing is moved.
func TestBoundUnchecked(t *testing.T) {
	t.Parallel()
	r := bindsAll(t)
	place := envelope.DefaultCatalogue()[0]
	theirs := func(s *engine.Parts) {
		s.Catalogue = envelope.DefaultCatalogue()
		s.Catalogue[0].PayloadAAD = true
	}
	room := nobody(r.parts)
	err := r.bind(t.Context(), room, steps.Rotation{}, theirs)
	var d *engine.DeviationError
	if !errors.Is(err, steps.ErrUnchecked) || !errors.As(err, &d) || d.What != "unchecked" || d.Seen != place.String() {
		t.Fatalf("got %v", err)
	}
	if r.left() != 3 {
		t.Errorf("%d left", r.left())
	}
	room.Answers[engine.AnswerDeviation+"unchecked"] = "the application checked them: alice"
	if err := r.bind(t.Context(), room, steps.Rotation{}, theirs); err != nil {
		t.Fatal(err)
	}
	if r.left() != 0 {
		t.Errorf("%d left", r.left())
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindRotate)[0])
	if err != nil || len(report.Deviations) != 1 || report.Deviations[0].Facts[transcript.FactSeen] != place.String() {
		t.Errorf("deviations %v, %v", report.Deviations, err)
	}
}
