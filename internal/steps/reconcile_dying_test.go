package steps_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
)

// dying is a store that ends a run at its n-th write: before it, or when it is done and nobody
// has heard so.
type dying struct {
	store.Store
	left  *int
	heard bool
}

var errDied = errors.New("the console lost its power")

func (d dying) write(do func() error) error {
	if *d.left--; *d.left > 0 {
		return do()
	}
	if *d.left == 0 && !d.heard {
		if err := do(); err != nil {
			return err
		}
	}
	return errDied
}

func (d dying) OpenCeremony(ctx context.Context, c store.Ceremony) error {
	return d.write(func() error { return d.Store.OpenCeremony(ctx, c) })
}

func (d dying) CloseCeremony(ctx context.Context, c store.Ceremony) error {
	return d.write(func() error { return d.Store.CloseCeremony(ctx, c) })
}

func (d dying) AppendEntry(ctx context.Context, e store.Entry) error {
	return d.write(func() error { return d.Store.AppendEntry(ctx, e) })
}

func (d dying) InsertLock(ctx context.Context, l store.Lock) error {
	return d.write(func() error { return d.Store.InsertLock(ctx, l) })
}

func (d dying) InsertKEK(ctx context.Context, k store.KEK) error {
	return d.write(func() error { return d.Store.InsertKEK(ctx, k) })
}

func (d dying) MoveActive(ctx context.Context, from, to store.Active) error {
	return d.write(func() error { return d.Store.MoveActive(ctx, from, to) })
}

// TestReconcileDying: a reconciliation of a store that lost everything loses its power at each
// write in turn. The same command continues, and in the end store and bundles are the same.
func TestReconcileDying(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	if err := engine.Run(t.Context(), *r.site(), nobody(r.parts), steps.Generate(2)); err != nil {
		t.Fatal(err)
	}
	lose(t, r.parts)
	step := 1
	if *seeds <= 10 {
		step = 4 // make torture takes every write
	}
	for run := 1; ; run += step {
		s, left := r.site(), run
		m, err := history.Merge(t.Context(), dying{s.Store, &left, run/step%2 == 0}, s.Bundles)
		if err != nil {
			t.Fatalf("run %d: %v", run, err)
		}
		s.Store = m
		err = engine.Run(t.Context(), *s, nobody(r.parts), steps.Reconcile())
		if err == nil || errors.Is(err, engine.ErrNothingDue) { // it died when M had signed
			if run < 30 {
				t.Errorf("it came to the end in %d runs", run)
			}
			break
		}
		if !errors.Is(err, errDied) {
			t.Fatalf("run %d: %v", run, err)
		}
	}
	r.whole()
}
