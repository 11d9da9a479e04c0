package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

func (r running) compromise(v kek.Version) error {
	r.t.Helper()
	return engine.Run(r.t.Context(), *r.site(), nobody(r.parts), steps.Compromise(v))
}

func (r running) state(v kek.Version) store.State {
	r.t.Helper()
	keks, err := r.site().Store.KEKs(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range keks {
		if k.Version == v {
			return k.State
		}
	}
	r.t.Fatalf("no version %d", v)
	return ""
}

// status looks with the bundles of a directory.
func (r running) status(bundles string) status.Status {
	r.t.Helper()
	s := r.site()
	st, err := status.Look(r.t.Context(), status.Site{Store: s.Store, Catalogue: s.Catalogue, Live: s.Fleet.Live,
		Bundles: bundles, Resume: steps.Resume})
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// due are the reasons that have a word in them.
func due(st status.Status, word string) (all []string) {
	for _, d := range st.Due {
		if strings.Contains(d.Why, word) {
			all = append(all, d.Why+" / "+d.Command)
		}
	}
	return all
}

// reseal has the application open record i and seal it again, with a new data key and payload.
func (r running) reseal(v kek.Version, i int) {
	r.t.Helper()
	s := r.site()
	p, err := s.OpenProvider(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close()
	place, id := rehearsal.Record(i)
	records := s.Store.(rehearsal.Records)
	old, err := records.Get(r.t.Context(), place, id)
	if err != nil {
		r.t.Fatal(err)
	}
	dek := make([]byte, kek.Size)
	if err := p.Unwrap(r.t.Context(), kek.NameOf(r.chain, old.KEKVersion), old.WrappedDEK, dek); err != nil {
		r.t.Fatal(err)
	}
	payload, err := old.Open(dek, nil)
	if err != nil || string(payload) != string(rehearsal.Payload(i)) {
		r.t.Fatalf("record %d: %q, %v", i, payload, err)
	}
	dek[0] ^= 1 // another one
	fresh := envelope.Envelope{KEKVersion: v, Provider: old.Provider}
	if fresh.Nonce, fresh.Ciphertext, err = envelope.Seal(dek, payload, nil); err == nil {
		fresh.WrappedDEK, err = p.Wrap(r.t.Context(), kek.NameOf(r.chain, v), dek)
	}
	if err == nil {
		err = records.Put(r.t.Context(), place, map[string]envelope.Envelope{id: fresh})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestCompromise: somebody has the key of the active version. Writers stop, readers go on; the
// rotation away from it works, and what it re-wrapped stays due until the application has sealed
// it again: whoever has an old copy of the database has the data keys of what was only re-wrapped.
func TestCompromise(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 6)
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	if s := r.state(1); s != store.Compromised {
		t.Fatalf("version 1 is %s", s)
	}
	st := r.status(r.parts.Bundles())
	if len(st.Exposed) != 1 || st.Exposed[0].Exposed != 6 || st.Exposed[0].Left == nil || *st.Exposed[0].Left != 6 {
		t.Errorf("exposed: %+v", st.Exposed)
	}
	want := "version 1 is active and compromised: nothing is written until a rotation / kekceremony rotate --to-version 2"
	if all := due(st, "active and compromised"); len(all) != 1 || all[0] != want {
		t.Errorf("due: %q", all)
	}
	for _, p := range st.Fleet {
		if p.Writes != 0 || len(p.Claims) != 1 {
			t.Errorf("process %+v", p)
		}
	}
	if all := due(st, "writes version"); len(all) > 0 {
		t.Errorf("due: %q", all)
	}
	if err := r.compromise(1); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("again: %v", err)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if s := r.state(1); s != store.Compromised {
		t.Errorf("after the rotation, version 1 is %s", s)
	}
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrCompromised) {
		t.Errorf("back to version 1: %v", err)
	}
	left := func(want int) {
		t.Helper()
		st := r.status(r.parts.Bundles())
		if st.Exposed[0].Left == nil || *st.Exposed[0].Left != want || len(due(st, "not resealed")) != min(want, 1) {
			t.Errorf("%v left, want %d; due %v", st.Exposed[0].Left, want, st.Due)
		}
	}
	left(6) // re-wrapped, each of them
	for i := range 6 {
		r.reseal(2, i)
		if i == 0 {
			left(5)
		}
	}
	left(0)
	if st := r.status(t.TempDir()); st.Exposed[0].Left != nil || len(due(st, "is unknown")) != 1 {
		t.Errorf("without the list: %+v, due %v", st.Exposed[0], st.Due)
	}
	lists, _ := filepath.Glob(filepath.Join(r.parts.Bundles(), ".*.exposed.*"))
	if len(lists) != 2 { // the compromise's, and the rotation's
		t.Fatalf("lists %v", lists)
	}
	if err := os.WriteFile(lists[0], make([]byte, 16), 0o600); err != nil {
		t.Fatal(err)
	}
	if st := r.status(r.parts.Bundles()); st.Exposed[0].Left != nil {
		t.Error("a list that somebody edited is believed")
	}
}

// TestCompromisedLater: version 1 was rotated away from, and nothing is at it. Whoever has its key and
// an old copy has the data keys all the same: what was re-wrapped since is exposed.
func TestCompromisedLater(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 4)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	st := r.status(r.parts.Bundles())
	if r.state(1) != store.Compromised || len(st.Exposed) != 1 || st.Exposed[0].Exposed != 4 {
		t.Errorf("version 1 is %s, exposed %+v", r.state(1), st.Exposed)
	}
	if all := due(st, "nothing is written"); len(all) > 0 {
		t.Errorf("due: %q", all)
	}
	if err := r.to(3, nobody(r.parts)); err != nil { // a clean rotation leaves it as it is
		t.Fatal(err)
	}
	if s := r.state(1); s != store.Compromised {
		t.Errorf("after a rotation, version 1 is %s", s)
	}
}

// TestCompromiseNew: a version that nothing was written with exposed nothing.
func TestCompromiseNew(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 4)
	r.generate(2)
	if err := r.compromise(2); err != nil {
		t.Fatal(err)
	}
	if st := r.status(r.parts.Bundles()); st.Exposed[0].Exposed != 0 || len(due(st, "compromised")) > 0 {
		t.Errorf("exposed %+v, due %v", st.Exposed, st.Due)
	}
	if err := r.to(2, nobody(r.parts)); !errors.Is(err, steps.ErrCompromised) {
		t.Errorf("to version 2: %v", err)
	}
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
}

// TestCompromiseRefused: what is not there, and what nobody uses any more.
func TestCompromiseRefused(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 0)
	before := r.ceremonies()
	if err := r.compromise(7); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("version 7: %v", err)
	}
	r.generate(2)
	for _, state := range []store.State{store.Disabled, store.Destroying, store.Destroyed} { // no ceremony did that
		change(t, r.parts, "UPDATE kek_versions SET state = '"+string(state)+"' WHERE id = 2")
		if err := r.compromise(2); !errors.Is(err, history.ErrVersions) {
			t.Errorf("%s: %v", state, err)
		}
	}
	if n := r.ceremonies(); n != before+1 { // that made version 2
		t.Errorf("%d ceremonies, %d before", n, before)
	}
}

// watched is a room in which somebody sees each page.
type watched struct {
	*engine.Unattended
	see func(engine.View)
}

func (w watched) Show(v engine.View) { w.see(v) }

// TestCompromiseWaits: a process that did not look since may still write. Until it has, the
// ceremony neither lists nor ends.
func TestCompromiseWaits(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	s := r.site()
	sleeper := store.Heartbeat{Process: "host/app/7/120000-0000beef", Role: "app", Host: "host", PID: 7,
		Current: 1, Epoch: 1, Number: 1, Started: time.Now()}
	beat := func(current kek.Version) {
		t.Helper()
		sleeper.Current = current
		if err := s.Store.Heartbeat(t.Context(), sleeper); err != nil {
			t.Fatal(err)
		}
	}
	beat(1)
	waits := make(chan string, 1)
	room := watched{nobody(r.parts), func(v engine.View) {
		if strings.HasPrefix(v.Waiting, "processes that still write") {
			select {
			case waits <- v.Waiting:
			default:
			}
		}
	}}
	ended := make(chan error, 1)
	parts := *r.site()
	go func() { ended <- engine.Run(t.Context(), parts, room, steps.Compromise(1)) }()
	for range 3 {
		select {
		case why := <-waits:
			if why != "processes that still write version 1: host/app/7/120000-0000beef" {
				continue // the agent did not look yet either
			}
			beat(1) // it is still live
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		}
	}
	if r.state(1) != store.Compromised {
		t.Errorf("version 1 is %s", r.state(1))
	}
	beat(0)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindCompromise)[0])
	if err != nil || !strings.Contains(report.Facts["not_writing"], "host/app/7") {
		t.Errorf("%q, %v", report.Facts["not_writing"], err)
	}
}

// TestCompromiseInterrupted: the console dies between the act and its line, and while it waits
// for slow writers. The same command continues, and lists all the same.
func TestCompromiseInterrupted(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	parts := *r.site()
	parts.Store = cutting{parts.Store, `"kind":"done"`}
	if err := engine.Run(t.Context(), parts, nobody(r.parts), steps.Compromise(1)); err == nil {
		t.Fatal("the store was not gone")
	}
	if s := r.state(1); s != store.Compromised {
		t.Fatalf("version 1 is %s", s)
	}
	ctx, stop := context.WithCancel(t.Context())
	room := watched{nobody(r.parts), func(v engine.View) {
		if strings.Contains(v.Waiting, "so that a write that is under way now is in the list") {
			stop()
		}
	}}
	if err := engine.Run(ctx, *r.site(), room, steps.Compromise(1)); !errors.Is(err, engine.ErrInterrupted) {
		t.Fatalf("stopped: %v", err)
	}
	if err := r.compromise(2); !errors.Is(err, engine.ErrUnfinished) {
		t.Errorf("of another version: %v", err)
	}
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindCompromise)[0])
	if err != nil || report.Facts[transcript.FactExposed] != "3" || r.ceremonies() != 2 {
		t.Errorf("%v, %v, %d ceremonies", report.Facts, err, r.ceremonies())
	}
}

// TestCompromiseForgotten: the store has forgotten a compromise, as after a restore: somebody wrote the row
// as it was. The chain has not: no rotation goes to the version, and the same ceremony marks it again.
// One that was aborted after its act has marked the version, and listed nothing: it is held again.
func TestCompromiseForgotten(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 2)
	parts := *r.site()
	parts.Store = cutting{parts.Store, `"step":"stopped"`}
	if err := engine.Run(t.Context(), parts, nobody(r.parts), steps.Compromise(1)); err == nil {
		t.Fatal("the store was not gone")
	}
	r.abort()
	again := "kekceremony compromise --version 1"
	if all := due(r.status(r.parts.Bundles()), "no ceremony listed"); len(all) != 1 || !strings.HasSuffix(all[0], again) {
		t.Errorf("due %q", all)
	}
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	change(t, r.parts, "UPDATE kek_versions SET state = 'retired' WHERE id = 1")
	if all := due(r.status(r.parts.Bundles()), "was compromised, is retired"); len(all) != 1 ||
		!strings.HasSuffix(all[0], again) {
		t.Errorf("due %q", all)
	}
	if err := r.to(1, nobody(r.parts)); !errors.Is(err, steps.ErrCompromised) {
		t.Errorf("back to version 1: %v", err)
	}
	if err := r.compromise(1); err != nil {
		t.Fatal(err)
	}
	if s := r.state(1); s != store.Compromised {
		t.Errorf("version 1 is %s", s)
	}
}
