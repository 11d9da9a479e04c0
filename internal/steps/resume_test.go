package steps_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// rotateTwo begins a rotation to version 2, or goes on with it, until somebody must sign.
func rotateTwo(t *testing.T, s *steps.Site, parts rehearsal.Parts) error {
	t.Helper()
	room := consenting{nobody(parts), func(context.Context, steps.Request) (steps.Consent, error) {
		return steps.Consent{}, steps.ErrLater
	}}
	return steps.Hold(t.Context(), s, room, steps.Rotate, steps.OpenRotate(kek.Version(2)), steps.RotateSteps)
}

// otherwise are commands for other ceremonies than the rotation from 1 to 2 that was begun.
var otherwise = map[string]func(*steps.Site){
	"another from":     func(s *steps.Site) { s.From = 2 },
	"another to":       func(s *steps.Site) { s.Want = 3 },
	"another envelope": func(s *steps.Site) { s.Exclude = []string{"things/1.f"} },
}

// TestOpenedOtherwise: a console without a bundle refuses a command that names other
// versions or exclusions than the unfinished ceremony was opened with, and writes nothing.
func TestOpenedOtherwise(t *testing.T) {
	parts, s := installed(t)
	var waiting *steps.WaitingError
	if err := rotateTwo(t, s, parts); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	for name, ask := range otherwise {
		t.Run(name, func(t *testing.T) {
			s := site(t, parts)
			s.Bundles = t.TempDir()
			ask(s)
			if err := rotateTwo(t, s, parts); !errors.Is(err, steps.ErrUnfinished) {
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
	for name, ask := range otherwise {
		t.Run(name, func(t *testing.T) {
			parts, s := installed(t)
			s.Store = cutting{s.Store, `"kind":"opened"`}
			if err := rotateTwo(t, s, parts); err == nil {
				t.Fatal("the store was not gone")
			}
			s = site(t, parts)
			ask(s)
			if err := rotateTwo(t, s, parts); !errors.Is(err, steps.ErrUnfinished) {
				t.Errorf("got %v", err)
			}
		})
	}
}
