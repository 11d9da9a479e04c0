package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

func want(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func testLock(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	_, err := s.Lock(ctx)
	want(t, "before", err, store.ErrNotFound)
	mine := store.Lock{Provider: "pkcs11", Chain: "0123456789abcdef0123456789abcdef", Ceremony: 1, Roster: "aa"}
	want(t, "insert", s.InsertLock(ctx, mine), nil)
	want(t, "the same again", s.InsertLock(ctx, mine), store.ErrExists)
	want(t, "another", s.InsertLock(ctx, store.Lock{Provider: "env"}), store.ErrExists)
	got, err := s.Lock(ctx)
	want(t, "after", err, nil)
	same(t, "lock", got, mine)
}

// testBadLock: a lock without a chain, which a defect of an earlier version could leave,
// is refused by name at every reading.
func testBadLock(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	want(t, "insert", s.InsertLock(ctx, store.Lock{Provider: "env", Ceremony: 1, Roster: "aa"}), nil)
	_, err := s.Lock(ctx)
	want(t, "read", err, store.ErrLock)
}

func version(v kek.Version) store.KEK {
	return store.KEK{
		Version:  v,
		Provider: "env",
		State:    store.Live,
		Label:    "kek-1-v" + v.String(),
		ID:       "abcd",
		Canary:   store.Canary{Wrapped: []byte{0, 1, 255}, SHA256: "cc"},
		Ceremony: int(v),
		Created:  time.Date(2026, 11, 24, 8, 0, int(v), 0, time.UTC),
	}
}

// testWraps: counts of several processes add up, and are read again.
func testWraps(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	none, err := s.Wraps(t.Context())
	want(t, "read none", err, nil)
	same(t, "none", len(none), 0)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if _, err := s.ReserveWraps(t.Context(), 2, 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	total, err := s.ReserveWraps(t.Context(), 2, 1)
	want(t, "reserve", err, nil)
	other, err := s.ReserveWraps(t.Context(), 3, 5_000_000_000)
	want(t, "reserve another", err, nil)
	same(t, "totals", []kek.Wraps{total, other}, []kek.Wraps{201, 5_000_000_000})
	got, err := s.Wraps(t.Context())
	want(t, "read", err, nil)
	same(t, "wraps", got, map[kek.Version]kek.Wraps{2: 201, 3: 5_000_000_000})
}

func testVersions(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	ten := version(10)
	ten.Bound = true
	for _, k := range []store.KEK{version(2), ten, version(1)} {
		want(t, "insert", s.InsertKEK(ctx, k), nil)
	}
	want(t, "pointer beside them", s.MoveActive(ctx, store.Active{}, store.Active{Version: 1, Epoch: 1}), nil)
	want(t, "taken", s.InsertKEK(ctx, version(2)), store.ErrExists)
	want(t, "retire", s.MoveKEK(ctx, 2, store.Live, store.Retired), nil)
	want(t, "retire again", s.MoveKEK(ctx, 2, store.Live, store.Retired), store.ErrConflict)
	want(t, "none such", s.MoveKEK(ctx, 7, store.Live, store.Retired), store.ErrConflict)
	want(t, "disable what is live", s.MoveKEK(ctx, 1, store.Live, store.Disabled), store.ErrMove)
	want(t, "destroy what is retired", s.MoveKEK(ctx, 2, store.Retired, store.Destroying), store.ErrMove)
	got, err := s.KEKs(ctx)
	want(t, "list", err, nil)
	two := version(2)
	two.State = store.Retired
	same(t, "versions", got, []store.KEK{version(1), two, ten})
}

func testPointer(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	_, err := s.Active(ctx)
	want(t, "before", err, store.ErrNotFound)
	one, two := store.Active{Version: 1, Epoch: 1}, store.Active{Version: 2, Epoch: 2}
	want(t, "from a pointer that is not there", s.MoveActive(ctx, one, two), store.ErrConflict)
	want(t, "first", s.MoveActive(ctx, store.Active{}, one), nil)
	want(t, "first again", s.MoveActive(ctx, store.Active{}, one), store.ErrConflict)
	want(t, "move", s.MoveActive(ctx, one, two), nil)
	want(t, "a late console", s.MoveActive(ctx, one, store.Active{Version: 3, Epoch: 2}), store.ErrConflict)
	want(t, "the same version, another epoch", s.MoveActive(ctx, store.Active{Version: 2, Epoch: 1}, one),
		store.ErrConflict)
	got, err := s.Active(ctx)
	want(t, "after", err, nil)
	same(t, "pointer", got, two)
}

func testCeremonies(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	one := store.Ceremony{Seq: 1, Kind: "install", Mode: "production", Bundle: "b1"}
	two := store.Ceremony{Seq: 2, Kind: "rotate", Mode: "production", Bundle: "b2"}
	want(t, "open", s.OpenCeremony(ctx, one), nil)
	want(t, "a second console", s.OpenCeremony(ctx, one), store.ErrExists)
	want(t, "open the next", s.OpenCeremony(ctx, two), nil)
	one.Outcome, one.Head, one.Final = "done", "aa", "bb"
	want(t, "close", s.CloseCeremony(ctx, one), nil)
	want(t, "close alike", s.CloseCeremony(ctx, one), nil)
	other := one
	other.Final = "cc"
	want(t, "close otherwise", s.CloseCeremony(ctx, other), store.ErrConflict)
	want(t, "close one that is not there", s.CloseCeremony(ctx, store.Ceremony{Seq: 9, Outcome: "done"}),
		store.ErrConflict)
	got, err := s.Ceremonies(ctx)
	want(t, "list", err, nil)
	same(t, "ceremonies", got, []store.Ceremony{one, two})
}

func entry(ceremony int, name, text string) store.Entry {
	return store.Entry{Ceremony: ceremony, Name: name, Data: []byte(text + "\n")}
}

func testEntries(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	for _, e := range []store.Entry{
		entry(1, "final.txt", "f"), entry(1, "000001", "b"), entry(10, "000000", "x"), entry(1, "000000", "a"),
		entry(11, "000000", "y"),
	} {
		want(t, "append", s.AppendEntry(ctx, e), nil)
	}
	want(t, "taken", s.AppendEntry(ctx, entry(1, "000001", "other")), store.ErrExists)
	want(t, "taken by the same bytes", s.AppendEntry(ctx, entry(1, "000001", "b")), store.ErrExists)
	got, err := s.Entries(ctx, 1)
	want(t, "list", err, nil)
	same(t, "entries", got, []store.Entry{entry(1, "000000", "a"), entry(1, "000001", "b"), entry(1, "final.txt", "f")})
	none, err := s.Entries(ctx, 2)
	want(t, "none", err, nil)
	same(t, "none", len(none), 0)
}

// testVoid: what was given up is copied before it is deleted, and of what follows under the
// same names nothing is.
func testVoid(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	one := store.Ceremony{Seq: 1, Kind: "install", Mode: "production", Bundle: "b1"}
	want(t, "open", s.OpenCeremony(ctx, one), nil)
	entries := []store.Entry{entry(1, "000000", "a"), entry(1, "000001", "b"), entry(1, "final.txt", "f")}
	for _, e := range entries {
		want(t, "append", s.AppendEntry(ctx, e), nil)
	}
	one.Outcome, one.Head = "void", "aa"
	want(t, "close", s.CloseCeremony(ctx, one), nil)
	v := store.Void{Chain: "0123456789abcdef0123456789abcdef", Ceremony: one, Entries: entries}
	want(t, "delete without a copy", s.DeleteVoid(ctx, v.Chain), store.ErrNotFound)
	want(t, "copy", s.InsertVoid(ctx, v), nil)
	want(t, "copy again", s.InsertVoid(ctx, store.Void{Chain: v.Chain}), store.ErrExists)
	want(t, "beside another's", s.AppendEntry(ctx, entry(11, "000000", "x")), nil)
	want(t, "delete", s.DeleteVoid(ctx, v.Chain), nil)

	left, err := s.Entries(ctx, 1)
	want(t, "list", err, nil)
	same(t, "entries", len(left), 0)
	left, err = s.Entries(ctx, 11)
	want(t, "list", err, nil)
	same(t, "another's", left, []store.Entry{entry(11, "000000", "x")})
	voids, err := s.Voids(ctx)
	want(t, "list", err, nil)
	same(t, "voids", voids, []store.Void{v})

	two := store.Ceremony{Seq: 1, Kind: "install", Mode: "production", Bundle: "b2"}
	want(t, "open the next one", s.OpenCeremony(ctx, two), nil)
	want(t, "append", s.AppendEntry(ctx, entry(1, "000000", "other")), nil)
	want(t, "a late console", s.DeleteVoid(ctx, v.Chain), nil)
	all, err := s.Ceremonies(ctx)
	want(t, "list", err, nil)
	same(t, "ceremonies", all, []store.Ceremony{two})
	left, err = s.Entries(ctx, 1)
	want(t, "list", err, nil)
	same(t, "entries", left, []store.Entry{entry(1, "000000", "other")})
	want(t, "open twice", s.OpenCeremony(ctx, two), store.ErrExists)
}

// testOneWins has many consoles do the same at once: one succeeds.
func testOneWins(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	want(t, "pointer", s.MoveActive(ctx, store.Active{}, store.Active{Version: 1, Epoch: 1}), nil)
	for name, do := range map[string]func(i int) error{
		"open":   func(int) error { return s.OpenCeremony(ctx, store.Ceremony{Seq: 1, Kind: "install"}) },
		"append": func(int) error { return s.AppendEntry(ctx, entry(1, "000000", "a")) },
		"lock":   func(int) error { return s.InsertLock(ctx, store.Lock{Provider: "env"}) },
		"move": func(i int) error {
			return s.MoveActive(ctx, store.Active{Version: 1, Epoch: 1}, store.Active{Version: kek.Version(2 + i), Epoch: 2})
		},
	} {
		var won atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				switch err := do(i); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrConflict):
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d won", name, won.Load())
		}
	}
}

func testHeartbeats(t *testing.T, b Backend) {
	s, _ := b.Open(t)
	ctx := t.Context()
	before, err := s.Now(ctx)
	want(t, "clock", err, nil)
	heartbeat := store.Heartbeat{
		Process:  "host/app/1/x",
		Role:     "app",
		Host:     "host",
		PID:      1,
		Provider: "env",
		Current:  1,
		Proofs:   map[kek.Version]string{1: "p1", 2: "p2"},
		Number:   1,
		Lease:    time.Minute,
		Binds:    true,
		Epoch:    4,
		Refusals: 3,
		Started:  time.Unix(0, 1_700_000_000_123_456_789).UTC(),
		Trouble:  "none",
	}
	want(t, "heartbeat", s.Heartbeat(ctx, store.Heartbeat{Process: "host/app/2/x"}), nil)
	want(t, "heartbeat", s.Heartbeat(ctx, heartbeat), nil)
	heartbeat.Number, heartbeat.Current, heartbeat.Seen = 2, 2, time.Unix(0, 0)
	heartbeat.Proofs = map[kek.Version]string{2: "p3"}
	want(t, "heartbeat", s.Heartbeat(ctx, heartbeat), nil)
	after, err := s.Now(ctx)
	want(t, "clock", err, nil)
	got, err := s.Heartbeats(ctx, time.Time{})
	want(t, "list", err, nil)
	if len(got) != 2 || got[0].Seen.Before(before.Add(-time.Second)) || got[0].Seen.After(after.Add(time.Second)) {
		t.Fatalf("between %s and %s: %+v", before, after, got)
	}
	heartbeat.Seen = got[0].Seen
	same(t, "heartbeat", got[0], heartbeat)
	for of, i := reflect.ValueOf(heartbeat), 0; i < of.NumField(); i++ {
		if name := of.Type().Field(i).Name; of.Field(i).IsZero() && name != "Stopped" {
			t.Errorf("the heartbeat does not try %s", name)
		}
	}
	same(t, "process", got[1].Process, "host/app/2/x")

	testSilent(t, s, before, after)
	if name := fmt.Sprint(s.Describe()); name == "" {
		t.Error("the store has no name")
	}
}

// testSilent asks for those of three processes that were not seen since a time, of which the
// third stopped, and forgets them.
func testSilent(t *testing.T, s store.Store, before, after time.Time) {
	ctx := t.Context()
	stopped := store.Heartbeat{Process: "host/app/3/x", Stopped: true}
	want(t, "heartbeat", s.Heartbeat(ctx, stopped), nil)
	later := after.Add(time.Hour)
	for _, c := range []struct {
		since time.Time
		after string
		limit int
		names []string
	}{
		{later, "", 9, []string{"host/app/1/x", "host/app/2/x"}},
		{later, "", 1, []string{"host/app/1/x"}},
		{later, "host/app/1/x", 9, []string{"host/app/2/x"}},
		{before.Add(-time.Hour), "", 9, nil},
	} {
		silent, err := s.Silent(ctx, c.since, c.after, c.limit)
		want(t, "silent", err, nil)
		var names []string
		for _, b := range silent {
			names = append(names, b.Process)
		}
		same(t, "silent", names, c.names)
	}
	live, err := s.Heartbeats(ctx, later)
	want(t, "live", err, nil)
	same(t, "live", len(live), 0)
	for _, c := range []struct {
		since time.Time
		but   []string
		n     int
	}{
		{before.Add(-time.Hour), nil, 0},
		{later, []string{"app", "night"}, 2}, // the other two say no role
		{later, []string{"night"}, 1},
		{later, nil, 0},
	} {
		n, err := s.Forget(ctx, c.since, c.but)
		want(t, "forget", err, nil)
		same(t, "forgotten", n, c.n)
	}
}
