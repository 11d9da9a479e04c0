package steps_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// mortal is a store that ends a run at its n-th write, also at one that archives.
type mortal struct{ dying }

func (m mortal) AppendEntry(ctx context.Context, e store.Entry) error {
	return m.write("entry", func() error { return m.Store.AppendEntry(ctx, e) })
}

func (m mortal) InsertVoid(ctx context.Context, v store.Void) error {
	return m.write("void", func() error { return m.Store.InsertVoid(ctx, v) })
}

func (m mortal) DeleteVoid(ctx context.Context, chain kek.Chain) error {
	return m.write("archived", func() error { return m.Store.DeleteVoid(ctx, chain) })
}

// begun is an install that waits for people: somebody attended, or nobody did.
func begun(t *testing.T, in store.Store, attended bool) (rehearsal.Parts, *engine.Parts) {
	t.Helper()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	if in != nil {
		s.Store = in
	}
	left := map[bool]int{true: 1}[attended]
	room := consenting{Unattended: nobody(parts)}
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if left--; left >= 0 {
			return room.Unattended.Consent(ctx, r)
		}
		return engine.Consent{}, engine.ErrLater
	}
	var waiting *engine.WaitingError
	if err := install(t.Context(), s, room); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	return parts, s
}

// unlocked runs again while a process that another test is about to begin has the lock of a log
// that is closed here.
func unlocked(run func() error) error {
	for {
		if err := run(); !errors.Is(err, transcript.ErrLocked) {
			return err
		}
	}
}

func abort(ctx context.Context, s *engine.Parts, room engine.Room) error {
	return unlocked(func() error { return engine.Abort(ctx, *s, room, steps.All()) })
}

// quitting is a room in which somebody gives up.
func quitting(parts rehearsal.Parts) *engine.Unattended {
	room := nobody(parts)
	room.Answers["operator"], room.Answers["reason"] = "alice, operator", "the roster was wrong"
	return room
}

// givenUp demands that the store is empty but for one archived install, and that this console
// has its bundle and nothing else.
func givenUp(t *testing.T, s *engine.Parts) transcript.Report {
	t.Helper()
	ctx := t.Context()
	all, err := s.Store.Ceremonies(ctx)
	if err != nil || len(all) > 0 {
		t.Errorf("ceremonies %v, %v", all, err)
	}
	entries, err := s.Store.Entries(ctx, 1)
	if err != nil || len(entries) > 0 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	list, err := os.ReadDir(s.Bundles)
	if err != nil || len(list) != 1 || !strings.HasSuffix(list[0].Name(), "-0001-install-void") {
		t.Fatalf("on this console %v, %v", list, err)
	}
	r, err := transcript.Verify(filepath.Join(s.Bundles, list[0].Name()))
	if !errors.Is(err, transcript.ErrVoid) {
		t.Errorf("its bundle: %v", err)
	}
	if err := audit.Voids(ctx, s.Store, nil, []transcript.Report{r}, true); err != nil {
		t.Error(err)
	}
	return r
}

// TestGiveUpDying: an install is given up, and the power is lost at each write in turn, before it
// and when nobody heard that it was done. The same command continues; then the next install is
// ceremony 1 of a new chain.
func TestGiveUpDying(t *testing.T) {
	t.Parallel()
	onMongo := func(t *testing.T) store.Store {
		s, err := mongo.Open(t.Context(), mongotest.Start(t).Fresh(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	for name, c := range map[string]struct {
		open     func(*testing.T) store.Store
		attended bool
	}{
		"alone": {}, "by M": {attended: true}, "alone, on mongo": {open: onMongo}, "by M, on mongo": {onMongo, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := everyWrite(3)
			if c.attended {
				step = everyWrite(7)
			}
			for n := 1; ; n += step {
				var in store.Store
				if c.open != nil {
					in = c.open(t)
				}
				ended := gaveUpDying(t, in, c.attended, (n+1)/2, n%2 == 1)
				if ended && n < 12 {
					t.Errorf("it came to the end at write %d", n/2)
				}
				if ended || t.Failed() {
					break
				}
			}
		})
	}
}

// everyWrite is by how many writes a test goes on: make torture takes each of them.
func everyWrite(step int) int {
	if *seeds > 10 {
		return 1
	}
	return step
}

// gaveUpDying reports whether the run came to its end before its n-th write.
func gaveUpDying(t *testing.T, in store.Store, attended bool, n int, done bool) (ended bool) {
	t.Helper()
	parts, s := begun(t, in, attended)
	dead := *s
	dead.Store = mortal{dying{s.Store, atWrite(n, done)}}
	err := abort(t.Context(), &dead, quitting(parts))
	if ended = err == nil; !ended && !errors.Is(err, errDied) {
		t.Fatalf("write %d: %v", n, err)
	}
	if !ended {
		if err := abort(t.Context(), s, quitting(parts)); err != nil && !errors.Is(err, engine.ErrNothingDue) {
			t.Fatalf("write %d: once more: %v", n, err)
		}
	}
	void := givenUp(t, s)
	if !ended { // of the others the next install is the same
		return false
	}
	if err := install(t.Context(), s, nobody(parts)); err != nil {
		t.Fatal(err)
	}
	sameAsBundles(t, s, void)
	return ended
}

// sameAsBundles demands of the store that it is installed with a new chain, and holds what the
// bundles do.
func sameAsBundles(t *testing.T, s *engine.Parts, void transcript.Report) {
	t.Helper()
	all, err := history.Rebuilt(t.Context(), s.Store)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d ceremonies, %v", len(all), err)
	}
	r, err := all[0].Verify()
	if err != nil {
		t.Fatal(err)
	}
	chained, voids, err := transcript.Apart([]transcript.Report{r, void})
	if err != nil || len(chained) != 1 || len(voids) != 1 {
		t.Errorf("apart: %d, %d, %v", len(chained), len(voids), err)
	}
	if err := errors.Join(audit.Store(t.Context(), s.Store, chained, true),
		audit.Voids(t.Context(), s.Store, chained, voids, true)); err != nil {
		t.Error(err)
	}
}

// TestGiveUpDisk: it loses the power between two writes of the disk, and in the middle of one.
func TestGiveUpDisk(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]func(dir, void string) error{
		"renamed":           func(string, string) error { return nil },
		"the note is there": func(dir, void string) error { return os.Rename(void, dir) },
		"the note is cut": func(dir, void string) error {
			return errors.Join(os.Truncate(filepath.Join(void, transcript.VoidFile), 9), os.Rename(void, dir))
		},
		"no note": func(dir, void string) error {
			return errors.Join(os.Remove(filepath.Join(void, transcript.VoidFile)), os.Rename(void, dir))
		},
	} {
		for _, attended := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, attended: %v", name, attended), func(t *testing.T) {
				t.Parallel()
				parts, s := begun(t, nil, attended)
				dead := *s
				dead.Store = unarchived{s.Store}
				if err := abort(t.Context(), &dead, quitting(parts)); !errors.Is(err, errDied) {
					t.Fatal(err)
				}
				dir := bundles(t, parts, "install-void")[0]
				old, _ := transcript.UnvoidName(dir)
				if err := undo(old, dir); err != nil {
					t.Fatal(err)
				}
				if err := install(t.Context(), s, nobody(parts)); !errors.Is(err, engine.ErrGivenUp) {
					t.Errorf("its own command: %v", err)
				}
				if err := abort(t.Context(), s, quitting(parts)); err != nil {
					t.Fatal(err)
				}
				givenUp(t, s)
			})
		}
	}
}

// unarchived is a store that ends a run that archives.
type unarchived struct{ store.Store }

func (u unarchived) InsertVoid(context.Context, store.Void) error { return errDied }

// TestGiveUpDeleting: it loses the power after each document that is deleted from the store.
func TestGiveUpDeleting(t *testing.T) {
	t.Parallel()
	for n := 0; ; n += everyWrite(4) {
		parts, s := begun(t, nil, true)
		dead := *s
		dead.Store = undeleted{s.Store}
		if err := abort(t.Context(), &dead, quitting(parts)); !errors.Is(err, errDied) {
			t.Fatal(err)
		}
		change(t, parts, fmt.Sprintf("DELETE FROM kek_events WHERE rowid IN "+
			"(SELECT rowid FROM kek_events ORDER BY name DESC LIMIT %d)", n))
		entries, err := s.Store.Entries(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := install(t.Context(), s, nobody(parts)); !errors.Is(err, engine.ErrGivenUp) {
			t.Errorf("its own command: %v", err)
		}
		if n%8 == 0 { // another console, without any bundle
			s.Bundles = t.TempDir()
			if err := abort(t.Context(), s, quitting(parts)); err != nil {
				t.Fatal(err)
			}
			s.Bundles = parts.Bundles()
		} else if err := abort(t.Context(), s, quitting(parts)); err != nil {
			t.Fatal(err)
		}
		givenUp(t, s)
		if len(entries) == 0 {
			return
		}
	}
}

// undeleted is a store that ends a run that would delete.
type undeleted struct{ store.Store }

func (u undeleted) DeleteVoid(context.Context, kek.Chain) error { return errDied }

// TestGiveUpWentBack: a store went back to a copy from before the install was interrupted, or
// from before it was given up. It is given up all the same, and also continued.
func TestGiveUpWentBack(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]string{
		"nothing":     "DELETE FROM kek_ceremonies; DELETE FROM kek_events",
		"the opening": "DELETE FROM kek_events",
		"a line":      "DELETE FROM kek_events WHERE name > '000001'",
	} {
		for _, attended := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, attended: %v", name, attended), func(t *testing.T) {
				t.Parallel()
				parts, s := begun(t, nil, attended)
				change(t, parts, back)
				if err := install(t.Context(), s, nobody(parts)); !errors.Is(err, transcript.ErrWentBack) {
					t.Errorf("its own command: %v", err)
				}
				over, c, err := steps.Restored(t.Context(), *s)
				if err != nil || c.Kind != transcript.KindInstall || !over.Restored {
					t.Fatal(c.Kind, over.Restored, err)
				}
				if err := abort(t.Context(), &over, quitting(parts)); err != nil {
					t.Fatal(err)
				}
				givenUp(t, s)
			})
			t.Run(fmt.Sprintf("%s, attended: %v, continued", name, attended), func(t *testing.T) {
				t.Parallel()
				parts, s := begun(t, nil, attended)
				change(t, parts, back)
				over, c, err := steps.Restored(t.Context(), *s)
				if err != nil {
					t.Fatal(err)
				}
				if err := unlocked(func() error { return engine.Run(t.Context(), over, nobody(parts), c) }); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	t.Run("before it was given up", func(t *testing.T) {
		t.Parallel()
		parts, s := begun(t, nil, false)
		older := filepath.Join(t.TempDir(), "older.db")
		change(t, parts, "VACUUM INTO '"+older+"'")
		if err := abort(t.Context(), s, quitting(parts)); err != nil {
			t.Fatal(err)
		}
		restore(t, parts, older)
		if err := install(t.Context(), s, nobody(parts)); !errors.Is(err, engine.ErrGivenUp) {
			t.Errorf("its own command: %v", err)
		}
		if err := abort(t.Context(), s, quitting(parts)); err != nil {
			t.Fatal(err)
		}
		givenUp(t, s)
	})
}

// TestGiveUpUnopened: it ended between its number in the store and its first line.
func TestGiveUpUnopened(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	dead := *s
	dead.Store = mortal{dying{s.Store, atWrite(2, false)}}
	if err := install(t.Context(), &dead, nobody(parts)); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if err := abort(t.Context(), s, nobody(parts)); !errors.As(err, new(*engine.MissingAnswers)) {
		t.Errorf("nobody says why: %v", err)
	}
	if err := abort(t.Context(), s, quitting(parts)); err != nil {
		t.Fatal(err)
	}
	givenUp(t, s)
}

// TestGiveUpForged: an archive that somebody wrote who can write the store takes nothing of a
// real install with it.
func TestGiveUpForged(t *testing.T) {
	t.Parallel()
	parts, s := installed(t)
	ctx := t.Context()
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.Store.Entries(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	change(t, parts, "DELETE FROM kek_install; DELETE FROM kek_versions; DELETE FROM kek_active; "+
		"UPDATE kek_ceremonies SET outcome = 'void'")
	c := all[0]
	c.Outcome = transcript.OutcomeVoid
	lock := history.VersionsOf([]transcript.State{verified(t, parts).State}).Lock
	if err := s.Store.InsertVoid(ctx, store.Void{Chain: lock.Chain, Ceremony: c, Entries: entries}); err != nil {
		t.Fatal(err)
	}
	if err := abort(ctx, s, quitting(parts)); !errors.Is(err, history.ErrHistory) {
		t.Errorf("got %v", err)
	}
	if left, err := s.Store.Entries(ctx, 1); err != nil || len(left) != len(entries) {
		t.Errorf("%d of %d entries are left, %v", len(left), len(entries), err)
	}
	if err := audit.Voids(ctx, s.Store, nil, nil, false); !transcript.IsBroken(err) {
		t.Errorf("the audit: %v", err)
	}
}

func verified(t *testing.T, parts rehearsal.Parts) transcript.Report {
	t.Helper()
	r, err := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGiveUpMade: a store with a lock, a version or a pointer is none in which nothing was made,
// whatever the log says. Nothing is written then.
func TestGiveUpMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(context.Context, store.Store, kek.Chain) error
		says string
	}{
		"a lock": {func(ctx context.Context, s store.Store, chain kek.Chain) error {
			return s.InsertLock(ctx, store.Lock{Provider: "env", Chain: chain, Ceremony: 1})
		}, "the store has a lock"},
		"a version": {func(ctx context.Context, s store.Store, _ kek.Chain) error {
			return s.InsertKEK(ctx, store.KEK{Version: 1, Provider: "env", Canary: store.Canary{Wrapped: []byte{1}}})
		}, "the store has version 1"},
		"a pointer": {func(ctx context.Context, s store.Store, _ kek.Chain) error {
			return s.MoveActive(ctx, store.Active{}, store.Active{Version: 1, Epoch: 1})
		}, "the store has an active version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts, s := begun(t, nil, false)
			before, err := s.Store.Entries(t.Context(), 1)
			r, _ := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0])
			chain := kek.Chain(r.Opened()[transcript.FactChain])
			if err := errors.Join(err, c.make(t.Context(), s.Store, chain)); err != nil {
				t.Fatal(err)
			}
			err = abort(t.Context(), s, quitting(parts))
			if !errors.Is(err, engine.ErrNoAbort) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			after, err := s.Store.Entries(t.Context(), 1)
			if err != nil || len(after) != len(before) {
				t.Errorf("%d lines were %d, %v", len(after), len(before), err)
			}
		})
	}
}
