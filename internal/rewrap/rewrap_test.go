package rewrap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

const chain = kek.Chain("00112233445566778899aabbccddeeff")

type database interface {
	store.Store
	rehearsal.Records
}

// both runs a test on both stores, with n records at version 1.
func both(t *testing.T, n int, test func(*testing.T, database, rehearsal.Application)) {
	for name, open := range map[string]func(*testing.T) (database, error){
		"sqlite": func(t *testing.T) (database, error) {
			return sqlite.Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
		},
		"mongo": func(t *testing.T) (database, error) { return mongo.Open(t.Context(), mongotest.Start(t).Fresh(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := open(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			test(t, db, written(t, db, n))
		})
	}
}

// onSQLite is the application with n records at version 1, on SQLite.
func onSQLite(t *testing.T, n int) (rehearsal.Application, database) {
	t.Helper()
	db, err := sqlite.Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return written(t, db, n), db
}

// written is the application, with n records at version 1.
func written(t *testing.T, db rehearsal.Records, n int) rehearsal.Application {
	t.Helper()
	p := twoKeys(t)
	a := rehearsal.Application{Records: db, Provider: p, Chain: chain, Active: 1}
	if err := a.Write(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return a
}

// twoKeys is a provider with versions 1 and 2.
func twoKeys(t *testing.T) provider.Provider {
	t.Helper()
	p, err := env.Open(env.Config{},
		[]string{env.Variable(1) + "=" + strings.Repeat("11", 32), env.Variable(2) + "=" + strings.Repeat("22", 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func job(s store.Envelopes, p provider.Provider) rewrap.Job {
	return rewrap.Job{
		Store:     s,
		Provider:  p,
		Chain:     chain,
		To:        2,
		Catalogue: envelope.DefaultCatalogue(),
		Control:   rewrap.NewControl(0),
		Reserve:   func(context.Context, int) error { return nil },
		Gate:      func(context.Context) (string, error) { return "", nil },
		Canary: func(_ context.Context, v kek.Version) error {
			if v > 2 {
				return store.ErrNotFound // there is no such version
			}
			return nil
		},
		Report: func(rewrap.Progress) {},
	}
}

// allAt demands that every record decrypts, at a version.
func allAt(t *testing.T, a rehearsal.Application, n int, v kek.Version) {
	t.Helper()
	for i := range n {
		if got, err := a.Read(t.Context(), i); err != nil || got != v {
			t.Fatalf("record %d: version %d, %v", i, got, err)
		}
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	const n = 60
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		c, err := rewrap.Run(t.Context(), job(db, a.Provider))
		if err != nil || c != (rewrap.Counts{Scanned: n, Rewrapped: n, Passes: 2}) {
			t.Errorf("%+v, %v", c, err)
		}
		allAt(t, a, n, 2)
		if c, err = rewrap.Run(t.Context(), job(db, a.Provider)); err != nil || c != (rewrap.Counts{Passes: 1}) {
			t.Errorf("again: %+v, %v", c, err)
		}
	})
}

// stalled stalls once between reading and writing, while something happens.
type stalled struct {
	store.Envelopes
	happens func()
}

func (s *stalled) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	if s.happens != nil {
		s.happens()
		s.happens = nil
	}
	return s.Envelopes.Swap(ctx, c, swaps)
}

// TestSealedAgain: the application encrypts a field again under the same version
// between our read and our write. That is a conflict, never an overwrite.
func TestSealedAgain(t *testing.T) {
	t.Parallel()
	const n = 30
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		field, id := rehearsal.Record(0)
		var again envelope.Envelope
		s := &stalled{db, func() {
			old, err := a.Records.Get(t.Context(), field, id)
			if err == nil {
				err = seal(t, a, field, id, 0)
			}
			if err == nil {
				again, err = a.Records.Get(t.Context(), field, id)
			}
			if err != nil || bytes.Equal(old.WrappedDEK, again.WrappedDEK) {
				t.Errorf("the application could not seal again: %v", err)
			}
		}}
		c, err := rewrap.Run(t.Context(), job(s, a.Provider))
		if err != nil || c.Conflicts != 1 || c.Rewrapped != n {
			t.Errorf("%+v, %v", c, err)
		}
		end, err := a.Records.Get(t.Context(), field, id)
		if err != nil || !bytes.Equal(end.Ciphertext, again.Ciphertext) || !bytes.Equal(end.Nonce, again.Nonce) {
			t.Errorf("the application's write was lost: %v", err)
		}
		allAt(t, a, n, 2)
	})
}

// seal encrypts record i again under version 1, with a new DEK.
func seal(t *testing.T, a rehearsal.Application, field envelope.Place, id string, i int) error {
	dek := bytes.Repeat([]byte{7}, kek.Size)
	nonce, ciphertext, err := envelope.Seal(dek, rehearsal.Payload(i), nil)
	if err != nil {
		return err
	}
	wrapped, err := a.Provider.Wrap(t.Context(), kek.NameOf(chain, 1), dek)
	if err != nil {
		return err
	}
	e := envelope.Envelope{
		WrappedDEK: wrapped,
		Nonce:      nonce,
		Ciphertext: ciphertext,
		KEKVersion: 1,
		Provider:   env.Name,
	}
	return a.Records.Put(t.Context(), field, map[string]envelope.Envelope{id: e})
}

// TestUndecryptable: an envelope that no key opens is named and left as it is, and the
// others are re-wrapped.
func TestUndecryptable(t *testing.T) {
	t.Parallel()
	const n = 12
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		field, id := rehearsal.Record(3)
		e, err := a.Records.Get(t.Context(), field, id)
		if err != nil {
			t.Fatal(err)
		}
		e.WrappedDEK[20] ^= 1
		if err := a.Records.Put(t.Context(), field, map[string]envelope.Envelope{id: e}); err != nil {
			t.Fatal(err)
		}
		c, err := rewrap.Run(t.Context(), job(db, a.Provider))
		if !errors.Is(err, rewrap.ErrUndecryptable) || !strings.Contains(fmt.Sprint(err), field.String()+" "+id) ||
			c.Rewrapped != n-1 || c.Undecryptable != 1 {
			t.Errorf("%+v, %v", c, err)
		}
		if left, err := a.Records.Get(t.Context(), field, id); err != nil || !bytes.Equal(left.WrappedDEK, e.WrappedDEK) ||
			left.KEKVersion != 1 {
			t.Errorf("it was touched: %+v, %v", left, err)
		}
	})
}

// TestNoSuchVersion: an envelope of a version that never was is undecryptable, not the
// end of the job.
func TestNoSuchVersion(t *testing.T) {
	t.Parallel()
	const n = 12
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		field, id := rehearsal.Record(3)
		e, err := a.Records.Get(t.Context(), field, id)
		if err != nil {
			t.Fatal(err)
		}
		e.KEKVersion = 9
		if err := a.Records.Put(t.Context(), field, map[string]envelope.Envelope{id: e}); err != nil {
			t.Fatal(err)
		}
		c, err := rewrap.Run(t.Context(), job(db, a.Provider))
		if !errors.Is(err, rewrap.ErrUndecryptable) || !strings.Contains(fmt.Sprint(err), id) || c.Rewrapped != n-1 ||
			c.Undecryptable != 1 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// again does something before every write.
type again struct {
	store.Envelopes
	happens func()
}

func (s again) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	s.happens()
	return s.Envelopes.Swap(ctx, c, swaps)
}

// between does something after the store has counted.
type between struct {
	store.Envelopes
	happens func()
}

func (s between) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	counts, err := s.Envelopes.Census(ctx, cat)
	s.happens()
	return counts, err
}

// TestExcludedWrittenBetween: an envelope is left at the old version, and the excluded
// one is written in the old version between the count and the look at the records. It
// must not be taken off the count in the other's place.
func TestExcludedWrittenBetween(t *testing.T) {
	t.Parallel()
	const n = 4
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		if _, err := rewrap.Run(t.Context(), job(db, a.Provider)); err != nil {
			t.Fatal(err)
		}
		field, id := rehearsal.Record(0)
		if err := seal(t, a, field, id, 0); err != nil { // it is left
			t.Fatal(err)
		}
		excluded, other := rehearsal.Record(1)
		s := between{db, func() {
			if err := seal(t, a, excluded, other, 1); err != nil {
				t.Error(err)
			}
		}}
		name := excluded.String() + " " + other
		left, met, err := rewrap.Census(t.Context(), s, envelope.DefaultCatalogue(), 2, []string{name})
		if err != nil || left < 1 || !slices.Equal(met, []string{name}) {
			t.Errorf("left %d, met %q, %v", left, met, err)
		}
	})
}

// TestRestless: an old writer that no gate sees writes the old version at every
// pass. The job gives up and says why.
func TestRestless(t *testing.T) {
	t.Parallel()
	const n = 4
	a, db := onSQLite(t, n)
	field, id := rehearsal.Record(0)
	old := again{db, func() {
		if err := seal(t, a, field, id, 0); err != nil {
			t.Error(err)
		}
	}}
	c, err := rewrap.Run(t.Context(), job(old, a.Provider))
	if !errors.Is(err, rewrap.ErrRestless) || c.Passes != 50 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestMended: what was undecryptable in one pass and was mended before the next is not
// reported.
func TestMended(t *testing.T) {
	t.Parallel()
	const n = 12
	a, db := onSQLite(t, n)
	field, id := rehearsal.Record(3)
	e, err := a.Records.Get(t.Context(), field, id)
	if err != nil {
		t.Fatal(err)
	}
	e.WrappedDEK[20] ^= 1
	if err := a.Records.Put(t.Context(), field, map[string]envelope.Envelope{id: e}); err != nil {
		t.Fatal(err)
	}
	j := job(db, a.Provider)
	j.Report = func(p rewrap.Progress) {
		if p.Passes == 1 && p.Undecryptable == 1 {
			if err := seal(t, a, field, id, 3); err != nil {
				t.Error(err)
			}
		}
	}
	c, err := rewrap.Run(t.Context(), j)
	if want := (rewrap.Counts{Scanned: n, Rewrapped: n, Passes: 3}); err != nil || c != want {
		t.Errorf("%+v, want %+v, %v", c, want, err)
	}
	allAt(t, a, n, 2)
}

// TestServerGoneInRewrap: the server is gone for 20 seconds in mid-re-wrap; the
// job waits, continues by itself, and every record decrypts.
func TestServerGoneInRewrap(t *testing.T) {
	t.Parallel()
	const n = 60
	server := mongotest.Start(t)
	server.NeedProxy(t)
	db, err := mongo.Open(t.Context(), server.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a := written(t, db, n)
	began := time.Now()
	s := &stalled{db, func() {
		server.Down()
		time.AfterFunc(20*time.Second, func() { server.Up(t) })
	}}
	c, err := rewrap.Run(t.Context(), job(s, a.Provider))
	if err != nil || c.Rewrapped != n {
		t.Errorf("%+v, %v", c, err)
	}
	if gone := time.Since(began); gone < 20*time.Second {
		t.Errorf("it took only %s: the server was not gone", gone)
	}
	allAt(t, a, n, 2)
}
