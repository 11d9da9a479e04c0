package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
)

// checked is the status, by the store's clock and by the keys that the provider has.
func (r running) checked(clock time.Duration) status.Status {
	r.t.Helper()
	s := r.site()
	p, err := s.OpenProvider(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close()
	st, err := status.Look(r.t.Context(), status.Site{Store: later{s.Store, clock}, Catalogue: s.Catalogue,
		Live: s.Fleet.Live, Bundles: r.parts.Bundles(), Resume: steps.Resume, Provider: p})
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// shows demands what is due of version 1, and that nobody looks for a key that was destroyed.
func (r running) shows(st status.Status, state store.State, want ...string) {
	r.t.Helper()
	got := slices.Concat(due(st, "version 1"), due(st, "destroy,"))
	if !slices.Equal(got, want) || st.Versions[0].State != string(state) {
		r.t.Errorf("version 1 is %s, want %s; due %q, want %q", st.Versions[0].State, state, got, want)
	}
	if state != store.Disabled && len(st.NoKey) > 0 {
		r.t.Errorf("keys are missing: %v", st.NoKey)
	}
}

// TestDestroyStatus: a status says from when on a version may be destroyed, has its destruction due from then
// until no copy is open, and never misses its key. A key that comes back is seen.
func TestDestroyStatus(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	secrets := r.secrets()
	by, _ := r.history().Disabled(1)
	ends := by.Ends().UTC().Format(time.RFC3339)
	const command = " / kekceremony destroy --version 1"

	st := r.checked(-time.Hour)
	r.shows(st, store.Disabled)
	if v := st.Versions[0]; v.Destroy != ends || v.Removed || v.There || st.Versions[1].Destroy != "" {
		t.Errorf("while it waits: %+v, %+v", v, st.Versions[1])
	}
	r.shows(r.checked(time.Minute), store.Disabled,
		"version 1 is disabled, and may be destroyed since "+ends+command)

	d := &doom{at: "key", after: true}
	err := r.destroy(func(s *engine.Parts) {
		r.on("secrets.env", "0001", false)(s)
		open := s.OpenProvider
		s.OpenProvider = func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
			p, err := open(ctx, known)
			return doomedProvider{p, d}, err
		}
	}, "verdicts", "5b1f: unreachable")
	if !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	r.shows(r.checked(0), store.Destroying, "ceremony 4, destroy, is not finished"+command)

	if err := r.destroy(r.on("secrets.env", "0001", false), "verdicts", "5b1f: unreachable"); err != nil {
		t.Fatal(err)
	}
	r.shows(r.checked(0), store.Destroying,
		"version 1 is destroyed here, and copies of its key are open: 5b1f: unreachable"+command)

	err = r.destroy(r.on("secrets.env", "0001", false), "verdicts", "5b1f: destroyed and searched for, bob, 2027-02-01")
	if err != nil {
		t.Fatal(err)
	}
	st = r.checked(0)
	r.shows(st, store.Destroyed)
	if v := st.Versions[0]; v.Copies != "" || !v.Removed || v.There || v.Destroy != "" {
		t.Errorf("destroyed: %+v", v)
	}

	if err := os.WriteFile(filepath.Join(r.parts.Dir, "secrets.env"), []byte(secrets), 0o600); err != nil {
		t.Fatal(err)
	}
	r.shows(r.checked(0), store.Destroyed,
		"the provider has the key of version 1, which is destroyed: a copy was left / kekceremony probe")
}
