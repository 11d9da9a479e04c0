package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// meddler is a room in which something happens just before the last signature
// of an approval is given.
type meddler struct {
	*engine.Unattended
	meddle func()
}

func (m meddler) Consent(ctx context.Context, r engine.Request) (engine.Consent, error) {
	if r.Purpose == quorum.Approve && transcript.Digest([]byte(r.Text)) != r.Digest {
		return engine.Consent{}, errors.New("people can read another plan than the one that they sign")
	}
	if r.Purpose == quorum.Approve && r.Have() == r.Need-1 {
		m.meddle()
	}
	return m.Unattended.Consent(ctx, r)
}

// TestPlanMoved: M people sign a plan, and when it is about to be carried out
// the world is another one. Nothing is done (promise 1).
func TestPlanMoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		meddle func(*testing.T, *engine.Parts)
		want   error
	}{
		{"nothing happens", func(*testing.T, *engine.Parts) {}, nil},
		{"the store has another version", func(t *testing.T, s *engine.Parts) {
			if err := s.Store.InsertKEK(t.Context(), store.KEK{
				Version:  2,
				Provider: "env",
				State:    store.Live,
				Canary:   store.Canary{Wrapped: []byte{1}},
			}); err != nil {
				t.Error(err)
			}
		}, engine.ErrPlanMoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			parts, err := makeParts(t)
			if err != nil {
				t.Fatal(err)
			}
			s := site(t, parts)
			room := meddler{&engine.Unattended{Signs: true, Report: func(string) {}, Answers: answers(parts)},
				func() { c.meddle(t, s) }}
			err = engine.Run(ctx, *s, room, steps.Install())
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			_, missing := os.Stat(filepath.Join(parts.Dir, "secrets.env"))
			if made := missing == nil; made != (c.want == nil) {
				t.Errorf("a key was made: %t", made)
			}
		})
	}
}

// makeParts makes a rehearsal's parts with an empty SQLite store.
func makeParts(t *testing.T) (rehearsal.Parts, error) {
	t.Helper()
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	return rehearsal.Make(t.Context(), parts.Dir, "env", "sqlite:"+parts.Store(), func(ctx context.Context) error {
		db, err := sqlite.Create(ctx, parts.Store())
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// testTool is the program that tests are.
var testTool = engine.Tool{Version: "test", SHA256: transcript.Digest([]byte("test"))}

// keyOf is a person's key, as quorum.OpenKeyFile returns it: that one runs ssh-keygen, and sites are many.
func keyOf(t *testing.T, parts rehearsal.Parts, name string) quorum.Key {
	t.Helper()
	text, err := os.ReadFile(parts.Key(name) + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return quorum.Key{Path: parts.Key(name), Public: public}
}

// site puts a rehearsal's real parts together.
func site(t *testing.T, parts rehearsal.Parts) *engine.Parts {
	t.Helper()
	db, err := sqlite.Open(t.Context(), parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &engine.Parts{Mode: quorum.Rehearsal, Store: db, Bundles: parts.Bundles(), Kind: env.Config{},
		Tool: testTool,
		OpenProvider: func(context.Context, func(map[string]string) error) (provider.Provider, error) {
			return env.Open(env.Config{SecretsFile: filepath.Join(parts.Dir, "secrets.env")}, nil)
		},
		Catalogue: envelope.DefaultCatalogue(), Control: rewrap.NewControl(0)}
	for _, name := range rehearsal.Operators {
		s.Keys = append(s.Keys, keyOf(t, parts, name))
	}
	return s
}

// cutting is a store that is gone when an event is to be written.
type cutting struct {
	store.Store
	at string // of the event's line
}

func (c cutting) AppendEntry(ctx context.Context, e store.Entry) error {
	if strings.Contains(string(e.Data), c.at) {
		return errors.New("the store is gone")
	}
	return c.Store.AppendEntry(ctx, e)
}

// TestPlanMovedLater: an act of a plan was done, and when another run continues the world
// is another one. The people are asked for the rest again, and the end is good.
func TestPlanMovedLater(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	s.Store = cutting{s.Store, `"kind":"begun","step":"canary"`}
	if err := install(t.Context(), s, nobody(parts)); err == nil {
		t.Fatal("the store was not gone")
	}
	s = site(t, parts)
	s.Catalogue = s.Catalogue.With(envelope.At("other", "f"))
	if err := install(t.Context(), s, nobody(parts)); err != nil {
		t.Fatal(err)
	}
	r, err := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0])
	if err != nil {
		t.Fatal(err)
	}
	plans := 0
	for _, e := range r.Events {
		if e.Kind == transcript.Plan {
			plans++
		}
	}
	if plans != 2 {
		t.Errorf("%d plans, want 2", plans)
	}
}
