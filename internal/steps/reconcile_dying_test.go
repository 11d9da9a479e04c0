package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
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
	if strings.Contains(string(e.Data), `"kind":"closed"`) {
		*d.left = 1 // what comes after the last line is another run's
	}
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
	r.generate(2)
	lose(t, r.parts)
	step := 1
	if *seeds <= 10 {
		step = 4 // make torture takes every write
	}
	for run, end := 1, 0; ; run += step {
		parts, left := *r.site(), run
		parts.Keys = parts.Keys[:2] // M: a further final would be late
		heard := run/step%2 == 0
		if reconcileEnded(t, r.parts) { // few writes are left: each is lost, and then done without an answer
			end++
			left, heard = (end+1)/2, end%2 == 0
		}
		parts.Store = dying{parts.Store, &left, heard}
		parts, c, err := steps.Restored(t.Context(), parts)
		if err == nil {
			err = engine.Run(t.Context(), parts, nobody(r.parts), c)
		}
		if err == nil || errors.Is(err, engine.ErrNothingDue) { // it died when M had signed
			if end < 4 {
				t.Errorf("it came to the end in %d runs, %d of them after its last line", run, end)
			}
			break
		}
		if !errors.Is(err, errDied) || run > 500*step {
			t.Fatalf("run %d: %v", run, err)
		}
	}
	r.whole()
}

// reconcileEnded reports whether the last line of the reconciliation is on the disk.
func reconcileEnded(t *testing.T, parts rehearsal.Parts) bool {
	t.Helper()
	for _, dir := range bundles(t, parts, transcript.KindReconcile) {
		log, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
		if err == nil && strings.Contains(string(log), `"kind":"closed"`) {
			return true
		}
	}
	return false
}
