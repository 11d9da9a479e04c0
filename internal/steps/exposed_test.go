package steps_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// exposed compares what status says of version 1: envelopes that it exposed, and those that are left.
func (r running) exposed(n, left int) {
	r.t.Helper()
	for _, e := range r.status(r.parts.Bundles()).Exposed {
		if e.Version == 1 && e.Exposed == n && e.Left != nil && *e.Left == left {
			return
		}
	}
	r.t.Errorf("exposed %+v, want %d, %d left", r.status(r.parts.Bundles()).Exposed, n, left)
}

func (r running) get(i int) envelope.Envelope {
	r.t.Helper()
	place, id := rehearsal.Record(i)
	e, err := r.site().Store.(rehearsal.Records).Get(r.t.Context(), place, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// restore writes a record as it was in a backup; a fence is not in it.
func (r running) restore(i int, e envelope.Envelope) {
	r.t.Helper()
	unfence(r.t, r.parts)
	place, id := rehearsal.Record(i)
	err := r.site().Store.(rehearsal.Records).Put(r.t.Context(), place, map[string]envelope.Envelope{id: e})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestExposedLate: a writer that slept writes with the compromised version after what it exposed was listed, and a
// backup brings back what was sealed again before. The rotation re-wraps them all. If nobody listed them, status
// would never count them, and anybody who has the key would have their data keys.
func TestExposedLate(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	before := r.get(0)
	r.reseal(1, 0)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	r.exposed(3, 3)
	r.write(1, 5)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.exposed(5, 5)
	for i := range 5 {
		r.reseal(2, i)
	}
	r.exposed(5, 0)
	r.restore(0, before)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.exposed(6, 1)
	r.reseal(2, 0)
	sealed := r.get(0)
	r.reseal(2, 0)
	r.exposed(6, 0)
	if err := r.to(3, nobody(r.parts)); err != nil { // what is at 2 was sealed since: it is not exposed
		t.Fatal(err)
	}
	r.exposed(6, 0)
	r.restore(0, sealed) // at version 2, which nothing is written with any more
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.exposed(7, 1)
}

// TestExposedAgain: a backup brings back an envelope that was re-wrapped from the compromised version and then sealed
// again, so that no list has it. It is at the active version. A further ceremony lists all that may be exposed.
func TestExposedAgain(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	before := r.get(0)
	r.reseal(2, 0)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	r.exposed(2, 2)
	if err := r.compromise(1); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("everything is listed: %v", err)
	}
	r.restore(0, before)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	r.exposed(3, 2)
}

// TestExposedWhenSigned: the console dies after the list, and goes on later. People sign what is there then.
func TestExposedWhenSigned(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	parts := *r.site()
	parts.Store = cutting{parts.Store, `"step":"leaving"`}
	if err := engine.Run(t.Context(), parts, nobody(r.parts), steps.Compromise(1)); err == nil {
		t.Fatal("the store was not gone")
	}
	r.write(1, 3)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	r.exposed(3, 3)
}

// TestExposedInterrupted: a rotation lists what came late, re-wraps it and is interrupted. What comes then is listed
// beside it, and neither is forgotten.
func TestExposedInterrupted(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 1)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	r.write(1, 2)
	parts, swaps := *r.site(), 0
	parts.Store = beforeSwap{parts.Store, func() bool { swaps++; return swaps < 2 }} // of the second, no answer comes
	if err := engine.Run(t.Context(), parts, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
		t.Fatal("the store was not gone")
	}
	r.write(1, 3)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.exposed(3, 3)
}

// TestExposedMeanwhile: a writer that slept writes with the compromised version while the rotation re-wraps, and the
// console dies when that was re-wrapped. It is listed all the same.
func TestExposedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]bool{"to its end": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, 1)
			if err := r.compromise(1); err != nil {
				t.Fatal(err)
			}
			parts, wrote := *r.site(), false
			parts.Store = beforeSwap{parts.Store, func() (answers bool) {
				if wrote {
					return !dies
				}
				wrote = true
				r.write(1, 2)
				return true
			}}
			err := engine.Run(t.Context(), parts, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2}))
			if dies && err != nil {
				err = r.to(2, nobody(r.parts))
			}
			if err != nil {
				t.Fatal(err)
			}
			r.exposed(2, 2)
			report, err := transcript.Verify(bundles(t, r.parts, transcript.KindRotate)[0])
			place, _ := rehearsal.Record(1)
			if err != nil || !strings.Contains(report.Facts["exposed_1_places"], place.String()) {
				t.Errorf("places %q, %v", report.Facts["exposed_1_places"], err)
			}
		})
	}
}

// beforeSwap is a store in which something happens before each swap, which says whether that is answered.
type beforeSwap struct {
	store.Store
	happens func() (answers bool)
}

func (b beforeSwap) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	answers := b.happens()
	took, err := b.Store.Swap(ctx, c, swaps)
	if err == nil && !answers {
		return nil, errors.New("the store is gone")
	}
	return took, err
}

// TestExposedByMovedPointer: somebody moved the pointer to a version that a ceremony generated, and writers
// followed. The rotation there found the switch done, so that it was never begun. What the version wrapped is
// exposed all the same.
func TestExposedByMovedPointer(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	r.generate(2)
	change(t, r.parts, "UPDATE kek_active SET version = 2, epoch = epoch + 1")
	r.write(2, 4)
	room := nobody(r.parts)
	room.Answers[engine.AnswerDeviation+"active_version"] = "somebody moved it, ticket 13"
	if err := r.to(2, room); err != nil {
		t.Fatal(err)
	}
	if err := r.compromise(1); err != nil { // its envelopes were re-wrapped to version 2
		t.Fatal(err)
	}
	r.exposed(4, 4)
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.compromise(2); err != nil { // and those of version 2 to version 3
		t.Fatal(err)
	}
	if all := r.status(r.parts.Bundles()).Exposed; len(all) != 2 || all[1].Version != 2 || all[1].Exposed != 4 {
		t.Errorf("exposed %+v", all)
	}
}

// TestExposedPlaceGone: somebody takes a place out of the catalogue. What is there is not counted any more, and must
// not look resealed.
func TestExposedPlaceGone(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	r.exposed(2, 2)
	place, _ := rehearsal.Record(0)
	s := r.site()
	st, err := status.Look(t.Context(), status.Site{Store: s.Store, Live: s.Fleet.Live, Bundles: r.parts.Bundles(),
		Catalogue: slices.DeleteFunc(s.Catalogue, func(p envelope.Place) bool { return p == place })})
	if err != nil {
		t.Fatal(err)
	}
	if e := st.Exposed[0]; e.Left != nil || len(e.Lacking) != 1 || e.Lacking[0] != place.String() {
		t.Errorf("exposed %+v", e)
	}
	if len(due(st, "is not in the catalogue")) != 1 {
		t.Errorf("due %v", st.Due)
	}
}

// run runs a ceremony, after which version 1 is in a state.
func (r running) run(c engine.Ceremony, want store.State) {
	r.t.Helper()
	if err := engine.Run(r.t.Context(), *r.site(), nobody(r.parts), c); err != nil || r.state(1) != want {
		r.t.Fatalf("%s: %v, version 1 is %s, want %s", c.Kind, err, r.state(1), want)
	}
}

// TestCompromisedDisabled: what is compromised goes the way of any other version: disabled when nothing is
// at it, and enabled again it is compromised as before.
func TestCompromisedDisabled(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.run(steps.Disable(1), store.Disabled)
	r.run(steps.Enable(1), store.Compromised)
}

// TestCompromiseDisabled: it is found out later that somebody has the key of a version that is disabled. It stays
// disabled, what was re-wrapped from it is listed, and enabled it is never written with again, whatever its row says.
func TestCompromiseDisabled(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.run(steps.Disable(1), store.Disabled)
	r.run(steps.Compromise(1), store.Disabled)
	r.exposed(2, 2)
	if err := r.compromise(1); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("again: %v", err)
	}
	r.run(steps.Enable(1), store.Compromised)
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrCompromised) {
		t.Errorf("back to version 1: %v", err)
	}
}

// TestCompromiseWentBack: a store goes back to a copy in which the version was retired, and nobody knew. The chain
// keeps that it is compromised.
func TestCompromiseWentBack(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	older := r.copied()
	r.run(steps.Disable(1), store.Disabled)
	r.run(steps.Compromise(1), store.Disabled)
	restore(t, r.parts, older)
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if all := due(r.status(r.parts.Bundles()), "was compromised, is retired"); len(all) != 1 {
		t.Errorf("due %q", r.status(r.parts.Bundles()).Due)
	}
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrCompromised) {
		t.Errorf("back to version 1: %v", err)
	}
	r.run(steps.Compromise(1), store.Compromised)
}
