package steps_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// spent is as few wraps as ceremonies refuse.
const spent = kek.MaxWraps / 10 * 9

// count counts wraps under a version until there are so many.
func (r running) count(v kek.Version, n kek.Wraps) {
	r.t.Helper()
	if _, err := r.site().Store.ReserveWraps(r.t.Context(), v, int(n-r.wraps(v))); err != nil {
		r.t.Fatal(err)
	}
}

func (r running) wraps(v kek.Version) kek.Wraps {
	r.t.Helper()
	all, err := r.site().Store.Wraps(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return all[v]
}

func (r running) to(v kek.Version, room engine.Room) error {
	r.t.Helper()
	return engine.Run(r.t.Context(), *r.site(), room, steps.Rotate(steps.Rotation{To: v}))
}

func (r running) abort() {
	r.t.Helper()
	if err := engine.Abort(r.t.Context(), *r.site(), nobody(r.parts), steps.All()); err != nil {
		r.t.Fatal(err)
	}
}

func (r running) ceremonies() int {
	r.t.Helper()
	all, err := r.site().Store.Ceremonies(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return len(all)
}

// TestWrapsOfCeremonies: a canary and each re-wrap are counted, no more.
func TestWrapsOfCeremonies(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 30)
	if n := r.wraps(1); n != 1 {
		t.Errorf("after an install, %d are counted", n)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if n := r.wraps(2); n != 31 {
		t.Errorf("after a rotation of 30, %d are counted", n)
	}
}

// TestSpent: no rotation goes to a version of which nine tenths of the wraps are counted, nor
// re-wraps what is left to it when it is active. The next version is made from there.
func TestSpent(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	r.unfenced = true
	r.generate(2)
	r.count(2, spent)
	before := r.ceremonies()
	if err := r.to(2, nobody(r.parts)); !errors.Is(err, steps.ErrSpent) || r.ceremonies() != before {
		t.Fatalf("to version 2: %v, %d ceremonies, %d before", err, r.ceremonies(), before)
	}
	r.count(1, spent)
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatalf("to version 3: %v", err)
	}
	r.write(1, 5) // a late writer writes two more
	r.count(3, spent)
	if err := r.to(3, nobody(r.parts)); !errors.Is(err, steps.ErrSpent) {
		t.Fatalf("to version 3 again: %v", err)
	}
	if err := r.to(4, nobody(r.parts)); err != nil {
		t.Fatalf("to version 4: %v", err)
	}
	if n := r.wraps(4); n != 6 {
		t.Errorf("%d wraps are counted under version 4", n)
	}
	r.whole()
}

// TestSpentByThis: the re-wrap itself would count too many. It is refused before people approve.
func TestSpentByThis(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 30)
	r.generate(2)
	r.count(2, spent-30)
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve {
			t.Error("people are asked to approve it")
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.to(2, room); !errors.Is(err, steps.ErrSpent) {
		t.Fatalf("got %v", err)
	}
	r.abort()
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestSpentMeanwhile: somebody wraps too much after people approved, and the writers were switched. The
// re-wrap stops before it wraps anything; people abort, and rotate to the next version.
func TestSpentMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 30)
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve && q.Plan[0].Verb == "switch" {
			r.count(2, spent)
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.to(2, room); !errors.Is(err, steps.ErrSpent) {
		t.Fatalf("got %v", err)
	}
	active, err := r.site().Store.Active(t.Context())
	if err != nil || active.Version != 2 {
		t.Errorf("version %d is active, %v", active.Version, err)
	}
	r.allAt(1, 30)
	r.abort()
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.allAt(3, 30)
	r.whole()
}

// allAt demands a number of envelopes at one version, and none at another.
func (r running) allAt(v kek.Version, n int) {
	r.t.Helper()
	s := r.site()
	counts, err := s.Store.Census(r.t.Context(), s.Catalogue)
	got := map[kek.Version]int{}
	for _, c := range counts {
		got[c.Version] += c.N
	}
	if err != nil || len(got) != 1 || got[v] != n {
		r.t.Errorf("envelopes by version: %v, %v", got, err)
	}
}
