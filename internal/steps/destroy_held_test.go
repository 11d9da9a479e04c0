package steps_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	const name = "elsewhere.env"
	if err := os.WriteFile(filepath.Join(r.parts.Dir, name), []byte(r.secrets()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return r.placed(name)
}

// placed has a process report that has the keys of a file, until it is stopped.
func (r running) placed(name string) (stop func()) {
	r.t.Helper()
	p, err := env.Open(env.Config{SecretsFile: filepath.Join(r.parts.Dir, name)}, nil)
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

// TestDestroyConfessed: a run dies when the row says that the destruction was begun, and the key is there. A process
// that reads this console's own file says then that it has the key. The same command removes it all the same: else
// each would wait for the other.
func TestDestroyConfessed(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	defer r.placed("secrets.env")()
	d := &doom{at: "destroying", after: true}
	if err := r.destroy(d.takes()); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	for confessed := false; !confessed; {
		all, err := r.site().Store.Heartbeats(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		confessed = slices.ContainsFunc(all, func(b store.Heartbeat) bool { return b.Proofs[1] != "" && !b.Stopped })
	}
	if err := r.destroy(nil); err != nil || r.hasKey(1) {
		t.Errorf("got %v; the key is there: %t", err, r.hasKey(1))
	}
	r.stands(1, store.Destroyed)
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

// TestDestroyLease: the fleet.live of this console is shorter than the one of a process that has the version. The
// process may work with what it saw for as long as its own says, and until then nobody takes it for gone.
func TestDestroyLease(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	s := r.site()
	holder := store.Heartbeat{Process: "db7/batch/4711/120000-0000beef", Role: "batch", Host: "db7", PID: 4711, Epoch: 2,
		Number: 1, Proofs: map[kek.Version]string{1: "00"}, Lease: time.Hour}
	if err := s.Store.Heartbeat(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	seen := func(ago time.Duration) {
		t.Helper()
		change(t, r.parts, fmt.Sprintf("UPDATE process_heartbeats SET seen = '%s' WHERE id LIKE 'db7/%%'",
			time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000Z")))
	}
	seen(30 * time.Minute)
	if err := r.destroy(nil); !errors.Is(err, steps.ErrHeld) || !liveIn(err, 30*time.Minute) {
		t.Errorf("within its lease: %v", err)
	}
	seen(2 * time.Hour)
	if err := r.destroy(nil); err != nil || r.hasKey(1) {
		t.Errorf("after its lease: %v", err)
	}
}

// liveIn reports whether an error names a process as live until about so long from now.
func liveIn(err error, d time.Duration) bool {
	_, after, _ := strings.Cut(err.Error(), "live until ")
	until, parseErr := time.Parse("2006-01-02 15:04:05 UTC", after[:min(len(after), len("2006-01-02 15:04:05 UTC"))])
	return parseErr == nil && time.Until(until).Round(5*time.Minute) == d
}
