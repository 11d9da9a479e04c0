package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// elsewhere has a process on another host report, with a configuration of its own, until it is stopped.
func (r running) elsewhere() (stop func()) {
	r.t.Helper()
	file := filepath.Join(r.parts.Dir, "elsewhere.env")
	if err := os.WriteFile(file, []byte(r.secrets()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	p, err := env.Open(env.Config{SecretsFile: file}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	s := r.site()
	ctx, end := context.WithCancel(context.Background())
	agent := fleet.Member{Store: s.Store, Provider: p, Chain: r.chain, Role: "batch", Every: s.Fleet.Heartbeat,
		Report: func(string) {}, Placed: true}
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	return func() {
		end()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
		p.Close()
	}
}

// TestDestroyStillHeld: keys are configuration, and a process on another host still has the key. The ceremony
// does not close over it, in whatever run: a copy that stays open makes no difference.
func TestDestroyStillHeld(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	stop := r.elsewhere()
	for range 2 {
		err := r.destroy(nil, "verdicts", "5b1f: unreachable")
		if !errors.Is(err, steps.ErrStillHeld) || !strings.Contains(err.Error(), "/batch/") {
			t.Errorf("got %v", err)
		}
		r.stands(1, store.Destroying)
	}
	stop()
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	r.stands(1, store.Destroying)
	if f := factsOf(t, bundles(t, r.parts, transcript.KindDestroy)[0]); f[transcript.FactCopies] != "5b1f: unreachable" {
		t.Errorf("open copies %q", f[transcript.FactCopies])
	}
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrDestroyed) {
		t.Errorf("rotate to it: %v", err)
	}
	r.whole()
}

// TestDestroyHeld: a process that proves the version, and one that was asked for it since it was disabled, stop its
// destruction, also after the last signature.
func TestDestroyHeld(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	s := r.site().Store
	holder := store.Heartbeat{Process: "db7/batch/4711/120000-0000beef", Role: "batch", Host: "db7", PID: 4711, Epoch: 2,
		Number: 1, Proofs: map[kek.Version]string{1: "00"}}
	beat := func(stopped bool) {
		t.Helper()
		holder.Stopped = stopped
		if err := s.Heartbeat(t.Context(), holder); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func(epoch int) {
		t.Helper()
		if err := s.Refuse(t.Context(), holder.Process, "batch", 1, epoch); err != nil {
			t.Fatal(err)
		}
	}
	run := func(at string, room engine.Room, want error, says string) {
		t.Helper()
		err := engine.Run(t.Context(), *r.site(), room, steps.Destroy(1))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", at, err)
		}
	}
	beat(false)
	run("held", nobody(r.parts), steps.ErrHeld, "process 4711 on host db7")
	beat(true)
	refuse(2)
	run("refused since", nobody(r.parts), steps.ErrRefused,
		"db7/batch/4711/120000-0000beef on host db7, role batch, refused 1 ")
	r.untouched()
	change(t, r.parts, "DELETE FROM kek_refusals")
	refuse(1) // before it was disabled, the last time
	run("refused while people sign", r.atApproval(func() { refuse(3) }), steps.ErrRefused, "refused 2 envelopes")
	r.stands(1, store.Disabled)
	change(t, r.parts, "DELETE FROM kek_refusals")
	if err := r.destroy(nil); err != nil || r.hasKey(1) {
		t.Errorf("nothing needs it: %v", err)
	}
}
