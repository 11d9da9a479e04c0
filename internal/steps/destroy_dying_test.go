package steps_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// doom ends a run at one durable write of a destruction: before it, or when it is done and nobody has
// heard so.
type doom struct {
	at    string
	after bool
	came  bool
}

func (d *doom) write(what string, do func() error) error {
	switch {
	case d.came:
		return errDied // nothing that comes after is this run's
	case what != d.at:
		return do()
	}
	d.came = true
	if d.after {
		if err := do(); err != nil {
			return err
		}
	}
	return errDied
}

type doomedStore struct {
	store.Store
	d *doom
}

func (s doomedStore) AppendEntry(ctx context.Context, e store.Entry) error {
	what := ""
	for _, kind := range []string{"begun", "done"} {
		if strings.Contains(string(e.Data), `"kind":"`+kind+`","step":"destroy"`) {
			what = kind
		}
	}
	if strings.Contains(string(e.Data), `"attempt":`) {
		what = "attempt"
	}
	return s.d.write(what, func() error { return s.Store.AppendEntry(ctx, e) })
}

func (s doomedStore) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	return s.d.write(string(to), func() error { return s.Store.MoveKEK(ctx, v, from, to) })
}

type doomedProvider struct {
	provider.Provider
	d *doom
}

func (p doomedProvider) Destroy(ctx context.Context, n kek.Name) error {
	return p.d.write("key", func() error { return p.Provider.Destroy(ctx, n) })
}

// takes has store and provider of a run be those that end it.
func (d *doom) takes() func(*engine.Parts) {
	return func(s *engine.Parts) {
		s.Store = doomedStore{s.Store, d}
		open := s.OpenProvider
		s.OpenProvider = func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
			p, err := open(ctx, known)
			return doomedProvider{p, d}, err
		}
	}
}

// TestDestroyDying: a destruction loses its power between each two durable writes. The same command
// continues it. From its first one on the version is not opened again, and nobody aborts it once the key is gone.
func TestDestroyDying(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	begun := false
	for _, at := range []string{"begun", "attempt", "destroying", "key", "destroyed", "done"} {
		for _, after := range []bool{false, true} {
			d := &doom{at: at, after: after}
			err := r.destroy(d.takes())
			if !errors.Is(err, errDied) || !d.came {
				t.Fatalf("%s, after it %t: %v", at, after, err)
			}
			begun = begun || after
			if !begun || at == "done" { // its line is on the disk: all that is left is to sign the end
				continue
			}
			if at == "key" && after || at == string(store.Destroyed) {
				if err := r.abortIn(nobody(r.parts)); !errors.Is(err, engine.ErrNoAbort) {
					t.Errorf("%s, after it %t: abort: %v", at, after, err)
				}
			}
			if err := r.enable(1, nobody(r.parts)); !errors.Is(err, engine.ErrUnfinished) {
				t.Errorf("%s, after it %t: enable: %v", at, after, err)
			}
			past := at != "begun" && at != "attempt" && (at != "destroying" || after)
			if state := r.states()[0]; (state == store.Disabled) == past {
				t.Errorf("%s, after it %t: version 1 is %s", at, after, state)
			}
		}
	}
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroyed)
	r.whole()
}
