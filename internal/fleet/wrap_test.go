package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

const chain kek.Chain = "0123456789abcdef0123456789abcdef"

// slow is a provider in which a call sleeps, once, as in a process that is stopped.
type slow struct {
	provider.Provider
	sleep func()
	lost  bool
}

func (s *slow) Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error {
	if s.lost {
		return provider.ErrGone
	}
	return s.Provider.Unwrap(ctx, by, wrapped, into)
}

// Close leaves the keys: they are there again.
func (s *slow) Close() error { return nil }

func (s *slow) Wrap(ctx context.Context, by kek.Name, dek []byte) ([]byte, error) {
	wrapped, err := s.Provider.Wrap(ctx, by, dek)
	if s.sleep != nil {
		sleep := s.sleep
		s.sleep = nil
		sleep()
	}
	return wrapped, err
}

// member is one that holds versions 1 and 2, of which 1 is active.
func member(t *testing.T) (*fleet.Member, *slow, store.Store) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Create(ctx, filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys, err := env.Open(env.Config{}, []string{env.Variable(1) + "=" + strings.Repeat("01", 32),
		env.Variable(2) + "=" + strings.Repeat("02", 32)})
	if err != nil {
		t.Fatal(err)
	}
	for v := kek.Version(1); v <= 2; v++ {
		c, err := fleet.MakeCanary(ctx, keys, kek.NameOf(chain, v))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.InsertKEK(ctx, store.KEK{Version: v, Provider: "env", State: store.Live, Canary: c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.MoveActive(ctx, store.Active{}, store.Active{Version: 1, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	p := &slow{Provider: keys}
	m := &fleet.Member{Store: db, Provider: p, Chain: chain, Role: "app", Every: time.Hour, Live: 100 * time.Millisecond,
		Report: func(string) {}}
	t.Cleanup(func() { m.Close() })
	return m, p, db
}

// TestSleptInTheCall: a process sleeps inside a wrap, longer than it may rely on what it saw, and
// the writers are switched meanwhile. What it returns is wrapped with the new version.
func TestSleptInTheCall(t *testing.T) {
	t.Parallel()
	m, p, db := member(t)
	p.sleep = func() {
		first, second := store.Active{Version: 1, Epoch: 1}, store.Active{Version: 2, Epoch: 2}
		if err := db.MoveActive(t.Context(), first, second); err != nil {
			t.Error(err)
		}
		for m.Age() <= m.Live {
			time.Sleep(time.Millisecond)
		}
	}
	wrapped, v, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil)
	if err != nil || v != 2 {
		t.Fatalf("version %d, %v", v, err)
	}
	if err := m.Unwrap(t.Context(), 2, wrapped, nil, make([]byte, kek.Size), unknown); err != nil {
		t.Error(err)
	}
}

func unknown() bool { return false }

// TestDropped: a version in a state that may not be read is refused, and the refusal is counted.
func TestDropped(t *testing.T) {
	t.Parallel()
	m, _, db := member(t)
	wrapped, v, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil)
	if err != nil || v != 1 {
		t.Fatalf("version %d, %v", v, err)
	}
	if err := errors.Join(db.MoveKEK(t.Context(), 1, store.Live, store.Retired),
		db.MoveKEK(t.Context(), 1, store.Retired, store.Disabled)); err != nil {
		t.Fatal(err)
	}
	if err := m.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Unwrap(t.Context(), 1, wrapped, nil, make([]byte, kek.Size), unknown); err == nil || m.Refusals() != 1 {
		t.Errorf("%v, %d refusals", err, m.Refusals())
	}
	if all, err := db.Refusals(t.Context(), 1); err != nil || len(all) != 1 || all[0].Role != m.Role {
		t.Errorf("in the store: %v, %v", all, err)
	}
	m.Store = forgetful{m.Store.(store.Store)}
	err = m.Holds(t.Context(), 1)
	if !errors.Is(err, fleet.ErrDisabled) || !strings.Contains(err.Error(), "not now") {
		t.Errorf("where the store does not take the refusal: %v", err)
	}
	if _, _, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil); err == nil ||
		fmt.Sprint(err) != "version 1 is active: "+fleet.ErrNotHeld.Error() {
		t.Errorf("wrapped with it: %v", err)
	}
}

// forgetful is a store that takes no refusal.
type forgetful struct{ store.Store }

func (forgetful) Refuse(context.Context, string, string, kek.Version, int) error {
	return fmt.Errorf("not now")
}

// deaf is a store that takes no heartbeat.
type deaf struct{ store.Store }

func (deaf) Heartbeat(context.Context, store.Heartbeat) error { return fmt.Errorf("not now") }

// TestUnheard: the store answers, and does not take this process's heartbeats: the fleet does not
// wait for it any more. It wraps nothing when the lease is over.
func TestUnheard(t *testing.T) {
	t.Parallel()
	m, _, db := member(t)
	if _, _, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil); err != nil {
		t.Fatal(err)
	}
	m.Store = deaf{db}
	for {
		began := m.Age()
		_, _, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil)
		if errors.Is(err, fleet.ErrLease) {
			break
		}
		if err != nil || began > 10*m.Live {
			t.Fatalf("it wraps %s after its last heartbeat, %v", began, err)
		}
	}
}

// TestTokenAway: the provider is lost and cannot be opened again for a while. What was held is
// neither refused nor counted as undecryptable, and is there again with the provider.
func TestTokenAway(t *testing.T) {
	t.Parallel()
	m, p, _ := member(t)
	wrapped, v, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil)
	if err != nil {
		t.Fatal(err)
	}
	away := true
	m.Every = time.Microsecond // it may be opened again at each look
	m.Open = func(context.Context) (provider.Provider, error) {
		if away {
			return nil, provider.ErrNoToken
		}
		return p.Provider, nil
	}
	p.lost = true
	for range 3 {
		if err := m.Unwrap(t.Context(), v, wrapped, nil, make([]byte, kek.Size), unknown); !errors.Is(err, provider.ErrGone) {
			t.Errorf("unwrap: %v", err)
		}
		if err := m.Look(t.Context()); !errors.Is(err, provider.ErrGone) {
			t.Errorf("look: %v", err)
		}
	}
	away = false
	if err := m.Look(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Unwrap(t.Context(), v, wrapped, nil, make([]byte, kek.Size), unknown); err != nil || m.Refusals() != 0 {
		t.Errorf("%v, %d refusals", err, m.Refusals())
	}
}

// TestHerd: many ask for a version that is not there. One looks for all of them.
func TestHerd(t *testing.T) {
	t.Parallel()
	m, _, db := member(t)
	if err := m.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for m.Age() < 1100*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := m.Holds(t.Context(), 77777); !errors.Is(err, fleet.ErrNotHeld) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	beats, err := db.Heartbeats(t.Context(), time.Time{})
	if err != nil || len(beats) != 1 || beats[0].Number != 2 || m.Refusals() != 50 {
		t.Errorf("%+v, %v", beats, err)
	}
}

// TestCounted: wraps are counted in the store before they are done, a block at a time.
func TestCounted(t *testing.T) {
	t.Parallel()
	m, _, db := member(t)
	m.Live = time.Hour
	for range 1025 {
		if _, _, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil); err != nil {
			t.Fatal(err)
		}
	}
	if total, err := db.ReserveWraps(t.Context(), 1, 1); err != nil || total != 2*1024+1 {
		t.Errorf("%d, %v", total, err)
	}
}

// TestSpent: of a version of which too many wraps are counted, a process that wraps is troubled. It
// wraps all the same.
func TestSpent(t *testing.T) {
	t.Parallel()
	m, _, db := member(t)
	m.Live = time.Hour
	after := func(wraps int) (trouble string) {
		t.Helper()
		for range wraps {
			if _, v, err := m.Wrap(t.Context(), make([]byte, kek.Size), nil); err != nil || v != 1 {
				t.Fatalf("version %d, %v", v, err)
			}
		}
		if err := m.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		beats, err := db.Heartbeats(t.Context(), time.Time{})
		if err != nil || len(beats) != 1 || beats[0].Trouble != m.View().Trouble {
			t.Fatalf("%+v, %v", beats, err)
		}
		return beats[0].Trouble
	}
	const spent = kek.MaxWraps / 10 * 9
	if _, err := db.ReserveWraps(t.Context(), 1, int(spent)-1025); err != nil {
		t.Fatal(err)
	}
	if got := after(1024); got != "" {
		t.Errorf("trouble: %s", got)
	}
	const want = "version 1: 3,865,471,584 of 4,294,967,296 wraps are counted: rotate to the next version"
	if got := after(1); got != want {
		t.Errorf("trouble %q, want %q", got, want)
	}
}

// TestOlderPointer: a server that is behind shows the pointer as it was before. It is not followed,
// unless the store says so again: it went back.
func TestOlderPointer(t *testing.T) {
	t.Parallel()
	m, _, db := member(t)
	first, second := store.Active{Version: 1, Epoch: 1}, store.Active{Version: 2, Epoch: 2}
	if err := db.MoveActive(t.Context(), first, second); err != nil {
		t.Fatal(err)
	}
	if err := m.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.MoveActive(t.Context(), second, first); err != nil {
		t.Fatal(err)
	}
	if err := m.Look(t.Context()); err == nil || m.View().Active != second {
		t.Errorf("it follows %+v, %v", m.View().Active, err)
	}
	if err := m.Look(t.Context()); err != nil || m.View().Active != first {
		t.Errorf("it follows %+v, %v", m.View().Active, err)
	}
}
