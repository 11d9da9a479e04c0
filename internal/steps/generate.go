package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// generate makes the key. One that is there before this act was begun was
// planted, whatever it looks like.
func generate() Step {
	return Step{
		Name: transcript.ActGenerate, Title: "Generate the key",
		Why: "The provider generates the key. Then its attributes are checked.",
		Act: &Act{
			Fresh: true,
			Plan: func(s *Site, f Facts) []Effect {
				n := s.Name(f.Version(transcript.FactTo))
				return []Effect{{
					Verb:   "generate",
					Object: fmt.Sprintf("version %d, AES-256, label %s", n.Version, n.Label),
					Undo:   "destroy the key",
				}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				return keyState(ctx, s, f.Version(transcript.FactTo))
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				return nil, s.Provider.Generate(ctx, s.Name(f.Version(transcript.FactTo)))
			},
		},
	}
}

func keyState(ctx context.Context, s *Site, v kek.Version) (State, Facts, error) {
	n := s.Name(v)
	key, err := s.Provider.Find(ctx, n)
	if errors.Is(err, provider.ErrNoKey) {
		return NotBegun, nil, nil
	}
	if err != nil {
		return NotBegun, nil, err
	}
	if key.Doubt != nil {
		return NotBegun, nil, fmt.Errorf("%w: %w", ErrDoubtfulKey, key.Doubt)
	}
	facts := Facts{transcript.FactLabel: n.Label, "key_id": n.HexID()}
	for name, value := range key.Attributes {
		facts["key_"+name] = printable.Text(value)
	}
	return Done, facts, nil
}
