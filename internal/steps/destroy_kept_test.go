package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// halfDestroyed is a running site on which a destruction of version 1 ended at one of its writes.
func halfDestroyed(t *testing.T, at string, after bool) running {
	t.Helper()
	r := disabled(t, testWait)
	d := &doom{at: at, after: after}
	err := r.destroy(func(s *engine.Parts) {
		s.Store = doomedStore{s.Store, d}
		open := s.OpenProvider
		s.OpenProvider = func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
			p, err := open(ctx, known)
			return doomedProvider{p, d}, err
		}
	})
	if !errors.Is(err, errDied) || !d.came {
		t.Fatal(err)
	}
	return r
}

func (r running) abortIn(room engine.Room) error {
	r.t.Helper()
	return engine.Abort(r.t.Context(), *r.site(), room, steps.All())
}

// TestDestroyKept: a destruction was begun, the key is whole, and an envelope of the version arrives: nothing completes
// it, and nothing else may run. M abort it: the key is kept, the version is enabled, and the envelope is re-wrapped.
func TestDestroyKept(t *testing.T) {
	t.Parallel()
	r := halfDestroyed(t, "key", false)
	r.stands(1, store.Destroying)
	r.writeLate(1, 4)
	if err := r.destroy(nil); !errors.Is(err, steps.ErrNeeded) {
		t.Fatalf("destroy: %v", err)
	}
	if err := r.enable(1, nobody(r.parts)); !errors.Is(err, engine.ErrUnfinished) {
		t.Fatalf("enable: %v", err)
	}
	var typed []string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		c, err := room.Unattended.Consent(ctx, q)
		if q.Purpose == quorum.Approve {
			typed = append(typed, c.Word+": "+q.Plan[0].Verb+" "+q.Plan[0].Object)
		}
		return c, err
	}
	if err := r.abortIn(room); err != nil {
		t.Fatal(err)
	}
	if len(typed) == 0 || !strings.HasPrefix(typed[0], "abort: keep version 1, which is disabled again, key kek-") {
		t.Errorf("people approved %q", typed)
	}
	r.stands(1, store.Disabled)
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindDestroy)[0])
	if err != nil || !report.Kept() || !report.Aborted() {
		t.Errorf("kept %t, aborted %t, %v", report.Kept(), report.Aborted(), err)
	}
	if made := r.history().Versions().Made[1]; made.State != store.Disabled || !r.hasKey(1) {
		t.Errorf("the logs say %s; the key is there: %t", made.State, r.hasKey(1))
	}
	if err := r.enable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestDestroyNotKept: nothing is kept of a key that is gone, or is another one, or by fewer than M.
func TestDestroyNotKept(t *testing.T) {
	t.Parallel()
	r := halfDestroyed(t, "key", true)
	if err := r.abortIn(nobody(r.parts)); !errors.Is(err, engine.ErrNoAbort) || !strings.Contains(err.Error(), ": 0") {
		t.Errorf("the key is gone: %v", err)
	}
	path := filepath.Join(r.parts.Dir, "secrets.env")
	left := r.secrets()
	other := env.Variable(1) + "=" + strings.Repeat("a", 64) + "\n"
	if err := os.WriteFile(path, []byte(left+other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.abortIn(nobody(r.parts)); !errors.Is(err, steps.ErrCanary) {
		t.Errorf("another key has its name: %v", err)
	}
	r.stands(1, store.Destroying)
	if err := os.WriteFile(path, []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestDestroyKeepRefused: people do not approve that the key is kept, and nothing moves: the destruction may continue.
// Once they have, it does not, also where the abort ends before its last line.
func TestDestroyKeepRefused(t *testing.T) {
	t.Parallel()
	r := halfDestroyed(t, "destroying", true)
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve {
			return engine.Consent{}, errors.New("bob says no")
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.abortIn(room); err == nil || !strings.Contains(err.Error(), "bob says no") {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	for _, after := range []bool{false, true} {
		d := &doom{at: string(store.Disabled), after: after}
		s := r.site()
		s.Store = doomedStore{s.Store, d}
		if err := engine.Abort(t.Context(), *s, nobody(r.parts), steps.All()); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		r.stands(1, map[bool]store.State{false: store.Destroying, true: store.Disabled}[after])
		if err := r.destroy(nil); !errors.Is(err, steps.ErrKeeping) || !r.hasKey(1) {
			t.Errorf("after it %t: destroy: %v; the key is there: %t", after, err, r.hasKey(1))
		}
	}
	r.abort()
	r.stands(1, store.Disabled)
	if err := r.destroy(nil); err != nil || r.hasKey(1) {
		t.Errorf("a new destruction: %v", err)
	}
	r.whole()
}

// keptElsewhere keeps the key on another console, while this one is about to destroy it.
type keptElsewhere struct {
	store.Store
	now func()
}

func (k *keptElsewhere) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	err := k.Store.MoveKEK(ctx, v, from, to)
	if err == nil && to == store.Destroying {
		k.now()
	}
	return err
}

// TestDestroyKeptElsewhere: a console sleeps directly before it destroys the key. Meanwhile the version is
// disabled again. It wakes up, and destroys nothing.
func TestDestroyKeptElsewhere(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	err := r.destroy(func(s *engine.Parts) {
		s.Store = &keptElsewhere{s.Store, func() {
			if err := r.site().Store.MoveKEK(t.Context(), 1, store.Destroying, store.Disabled); err != nil {
				t.Error(err)
			}
		}}
	})
	if !errors.Is(err, transcript.ErrFenced) || !r.hasKey(1) {
		t.Errorf("got %v; the key is there: %t", err, r.hasKey(1))
	}
}

// TestDestroyCopyKept: a copy is closed on a token that refuses to destroy it. That ceremony can be aborted, and
// changes nothing: the version is destroyed elsewhere, and this copy is open.
func TestDestroyCopyKept(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	if err := os.WriteFile(filepath.Join(r.parts.Dir, "5b1f.env"), []byte(r.secrets()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(r.on("secrets.env", "0001", false), "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatal(err)
	}
	err := r.destroy(r.on("5b1f.env", "5b1f", true), "verdicts", "5b1f: unreachable")
	if !errors.Is(err, provider.ErrKept) {
		t.Fatal(err)
	}
	s := r.site()
	r.on("5b1f.env", "5b1f", true)(s)
	if err := engine.Abort(t.Context(), *s, nobody(r.parts), steps.All()); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	if how, ok := r.history().Destroyed(1); !ok || how.Copies != "5b1f: unreachable" {
		t.Errorf("open copies %q, %t", how.Copies, ok)
	}
	if err := r.enable(1, nobody(r.parts)); !errors.Is(err, steps.ErrDestroyed) {
		t.Errorf("enable: %v", err)
	}
	if err := r.destroy(r.on("5b1f.env", "5b1f", false), "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
}
