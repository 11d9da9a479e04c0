package steps_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/memorytest"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// handed is a provider whose people placed keys in it. It counts those that it makes, and can
// fail to find one.
type handed struct {
	staying
	made int
	lose func() bool
}

func (h *handed) Generate(ctx context.Context, n kek.Name) error {
	h.made++
	return h.staying.Generate(ctx, n)
}

var errNotNow = errors.New("not now")

func (h *handed) Find(ctx context.Context, n kek.Name) (provider.Key, error) {
	if n.Version == 2 && h.lose != nil && h.lose() {
		return provider.Key{}, errNotNow
	}
	return h.staying.Find(ctx, n)
}

// onToken is a kind whose keys are in a token.
type onToken struct{ memorytest.Settings }

func (onToken) OnToken() bool { return true }

// placing is an installed store, and a provider with a key of version 2 that no ceremony made.
func placing(t *testing.T, kind provider.Kind) (*handed, *engine.Parts, *engine.Unattended, func() error) {
	t.Helper()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := memorytest.Settings{Zone: "a"}.Open()
	if err != nil {
		t.Fatal(err)
	}
	h, s, room := &handed{staying: staying{memory}}, site(t, parts), nobody(parts)
	s.Kind = kind
	s.OpenProvider = func(context.Context, func(map[string]string) error) (provider.Provider, error) { return h, nil }
	room.Answers["provider"] = memorytest.Name
	if err := engine.Run(t.Context(), *s, room, steps.Install()); err != nil {
		t.Fatal(err)
	}
	lock, err := s.Store.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := memory.Generate(t.Context(), kek.NameOf(lock.Chain, 2)); err != nil {
		t.Fatal(err)
	}
	h.made = 0
	return h, s, room, func() error {
		next := *site(t, parts)
		next.Kind, next.OpenProvider = s.Kind, s.OpenProvider
		return engine.Run(t.Context(), next, room, steps.Generate(2))
	}
}

// TestPlaced: a key that is there before its ceremony becomes the version only if people decide
// so, whatever interrupts it; no other is made instead, and the transcript says what it is.
func TestPlaced(t *testing.T) {
	t.Parallel()
	h, s, room, generate := placing(t, memorytest.Settings{})
	if err := generate(); !errors.Is(err, steps.ErrPlaced) {
		t.Fatalf("nobody decided: %v", err)
	}
	room.Answers["deviation.key_made"] = "the hosts have it"
	var asked int
	h.lose = func() bool { asked++; return asked == 2 } // the look after the act was begun
	if err := generate(); !errors.Is(err, errNotNow) {
		t.Fatalf("interrupted: %v", err)
	}
	h.lose = nil
	if err := generate(); err != nil {
		t.Fatal(err)
	}
	if h.made != 0 {
		t.Errorf("%d keys were made", h.made)
	}
	keks, err := s.Store.KEKs(t.Context())
	if err != nil || len(keks) != 2 {
		t.Fatalf("%+v, %v", keks, err)
	}
	dirs := bundles(t, rehearsal.Parts{Dir: filepath.Dir(s.Bundles)}, transcript.KindGenerate)
	if len(dirs) != 1 {
		t.Fatalf("bundles %v", dirs)
	}
	r, err := transcript.Verify(dirs[0])
	if err != nil || r.Facts["key_made"] != "outside a ceremony" || len(r.Deviations) != 1 {
		t.Errorf("%v, %v", r.Facts["key_made"], err)
	}
}

// TestPlacedOnToken: a key that is on a token before its ceremony was planted, whatever people
// decide.
func TestPlacedOnToken(t *testing.T) {
	t.Parallel()
	_, _, room, generate := placing(t, onToken{})
	room.Answers["deviation.key_made"] = "the hosts have it"
	if err := generate(); !errors.Is(err, engine.ErrPlanted) {
		t.Errorf("got %v", err)
	}
}
