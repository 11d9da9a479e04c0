package steps_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// rotateTo begins a rotation, or continues it, until somebody must sign.
func rotateTo(t *testing.T, s *engine.Parts, parts rehearsal.Parts, r steps.Rotation) error {
	t.Helper()
	room := consenting{nobody(parts), func(context.Context, engine.Request) (engine.Consent, error) {
		return engine.Consent{}, engine.ErrLater
	}}
	return engine.Run(t.Context(), *s, room, steps.Rotate(r))
}

// otherwise are commands for other ceremonies than the rotation from 1 to 2 that was begun.
var otherwise = map[string]steps.Rotation{
	"another from":     {To: 2, From: 2},
	"another to":       {To: 3},
	"another envelope": {To: 2, Exclude: []string{"things/1.f"}},
}

// TestOpenedOtherwise: a console without a bundle refuses a command that names other
// versions or exclusions than the unfinished ceremony was opened with, and writes nothing.
func TestOpenedOtherwise(t *testing.T) {
	parts, s := installed(t)
	var waiting *engine.WaitingError
	if err := rotateTo(t, s, parts, steps.Rotation{To: 2}); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	for name, r := range otherwise {
		t.Run(name, func(t *testing.T) {
			s := site(t, parts)
			s.Bundles = t.TempDir()
			if err := rotateTo(t, s, parts, r); !errors.Is(err, engine.ErrUnfinished) {
				t.Errorf("got %v", err)
			}
			if list, err := os.ReadDir(s.Bundles); err != nil || len(list) > 0 {
				t.Errorf("there are %v, %v", list, err)
			}
		})
	}
}

// TestOpenedOnDiskAlone: the same where the first line reached the disk and not the store.
func TestOpenedOnDiskAlone(t *testing.T) {
	for name, r := range otherwise {
		t.Run(name, func(t *testing.T) {
			parts, s := installed(t)
			s.Store = cutting{s.Store, `"kind":"opened"`}
			if err := rotateTo(t, s, parts, steps.Rotation{To: 2}); err == nil {
				t.Fatal("the store was not gone")
			}
			s = site(t, parts)
			if err := rotateTo(t, s, parts, r); !errors.Is(err, engine.ErrUnfinished) {
				t.Errorf("got %v", err)
			}
		})
	}
}
