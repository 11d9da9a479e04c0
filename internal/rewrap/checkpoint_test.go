package rewrap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
)

// dying is a store whose process dies at the nth write.
type dying struct {
	store.Envelopes
	n    int
	kill context.CancelFunc
}

func (d *dying) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	if d.n--; d.n < 0 {
		d.kill()
		return nil, context.Canceled
	}
	return d.Envelopes.Swap(ctx, c, swaps)
}

// TestCheckpoint: a checkpoint saves reading what is done, and nothing depends on it: with a
// checkpoint, without one, with a spoilt one, and with one that claims too much, the
// next run ends alike.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	const n = 900
	a, db := onSQLite(t, n)
	path := filepath.Join(t.TempDir(), "mark")
	first := job(db, a.Provider)
	ctx, kill := context.WithCancel(t.Context())
	first.Store, first.Checkpoint = &dying{db, 3, kill}, rewrap.OpenCheckpoint(path, 2)
	if _, err := rewrap.Run(ctx, first); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	mark, err := os.ReadFile(path)
	if err != nil {
		t.Fatal("no checkpoint was left: ", err)
	}
	before, err := copyOf(t, db)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		mark  func() error
		skips bool
	}{
		{"with it", func() error { return nil }, true},
		{"deleted", func() error { return os.Remove(path) }, false},
		{"spoilt", func() error { return os.WriteFile(path, mark[:len(mark)/2], 0o600) }, false},
		{"that claims all", func() error { return os.WriteFile(path, claimsAll(t, first), 0o600) }, true},
		{"of another target", func() error { return os.WriteFile(path, []byte(`{"to":3,"reached":{}}`), 0o600) }, false},
	} {
		before.put(t, db)
		if err := os.WriteFile(path, mark, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.mark(); err != nil {
			t.Fatal(err)
		}
		j := job(db, a.Provider)
		j.Checkpoint = rewrap.OpenCheckpoint(path, 2)
		counts, err := rewrap.Run(t.Context(), j)
		if err != nil || (counts.Skipped > 0) != c.skips || counts.Rewrapped != before.due {
			t.Errorf("%s: %+v, %v; %d were due", c.name, counts, err, before.due)
		}
		allAt(t, a, n, 2)
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the checkpoint is still there: %v", c.name, err)
		}
	}
}

// state is the envelopes of all records at one moment.
type state struct {
	records map[envelope.Place]map[string]envelope.Envelope
	due     int
}

func copyOf(t *testing.T, db database) (state, error) {
	t.Helper()
	s := state{records: map[envelope.Place]map[string]envelope.Envelope{}}
	counts, err := db.Census(t.Context(), envelope.DefaultCatalogue())
	n := 0
	for _, c := range counts {
		n += c.N
		if c.Version != 2 {
			s.due += c.N
		}
	}
	for i := range n {
		field, id := rehearsal.Record(i)
		e, getErr := db.Get(t.Context(), field, id)
		if getErr != nil {
			return s, getErr
		}
		if s.records[field] == nil {
			s.records[field] = map[string]envelope.Envelope{}
		}
		s.records[field][id] = e
	}
	return s, err
}

func (s state) put(t *testing.T, db database) {
	t.Helper()
	for field, records := range s.records {
		if err := db.Put(t.Context(), field, records); err != nil {
			t.Fatal(err)
		}
	}
}

// claimsAll is a checkpoint that says of every collection that it is done.
func claimsAll(t *testing.T, j rewrap.Job) []byte {
	t.Helper()
	id, err := j.Store.EncodeID("record-999999")
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]any{}
	for _, c := range j.Catalogue.Collections() {
		reached[c.Name] = map[string]any{"id": id, "records": 1}
	}
	mark, err := json.Marshal(map[string]any{"to": 2, "reached": reached})
	if err != nil {
		t.Fatal(err)
	}
	return mark
}

// shuffling answers in another order than it was asked.
type shuffling struct{ provider.Provider }

func (s shuffling) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	answers, err := s.Provider.Rewrap(ctx, items, to)
	slices.Reverse(answers)
	return answers, err
}

// TestShuffled: no DEK gets into another record (promise 3): an answer out of its place is
// refused, and nothing is written.
func TestShuffled(t *testing.T) {
	t.Parallel()
	const n = 600
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		if counts, err := rewrap.Run(t.Context(), job(db, shuffling{a.Provider})); err == nil || counts.Rewrapped != 0 {
			t.Errorf("%+v, %v", counts, err)
		}
		allAt(t, a, n, 1)
	})
}

// strange answers for an envelope that nobody asked about.
type strange struct{ provider.Provider }

func (s strange) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	answers, err := s.Provider.Rewrap(ctx, items, to)
	if len(answers) > 0 {
		answers[0].Old = bytes.Clone(answers[0].Old)
		answers[0].Old[0] ^= 1
	}
	return answers, err
}

func TestStrangeAnswer(t *testing.T) {
	t.Parallel()
	const n = 30
	a, db := onSQLite(t, n)
	if counts, err := rewrap.Run(t.Context(), job(db, strange{a.Provider})); err == nil || counts.Rewrapped != 0 {
		t.Errorf("%+v, %v", counts, err)
	}
	allAt(t, a, n, 1)
}

// idle says that it re-wrapped what it did not: it brings nothing, or the bytes that it was given.
type idle struct {
	provider.Provider
	brings func(old []byte) []byte
}

func (i idle) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	answers, err := i.Provider.Rewrap(ctx, items, to)
	for n := range answers {
		answers[n].New = i.brings(answers[n].Old)
	}
	return answers, err
}

// TestIdleAnswer: the old bytes, or none, at the new version would be a DEK that is lost with the old key.
func TestIdleAnswer(t *testing.T) {
	t.Parallel()
	const n = 30
	for name, brings := range map[string]func(old []byte) []byte{
		"nothing": func([]byte) []byte { return nil }, "what it was given": bytes.Clone,
	} {
		a, db := onSQLite(t, n)
		if counts, err := rewrap.Run(t.Context(), job(db, idle{a.Provider, brings})); err == nil || counts.Rewrapped != 0 {
			t.Errorf("%s: %+v, %v", name, counts, err)
		}
		allAt(t, a, n, 1)
	}
}
