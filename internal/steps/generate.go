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
// planted, whatever it looks like, unless people decided to take it over.
func generate() Step {
	return Step{
		Name: transcript.ActGenerate, Title: "Generate the key", Holds: true,
		Why: "The provider generates the key. Each attribute that it reports is then compared with the one " +
			"required, and the ceremony stops if one differs.",
		Act: &Act{
			Fresh: true,
			Plan: func(s *Site, f Facts) []Effect {
				n := s.Name(f.Version(transcript.FactTo))
				if takesOver(s, f) {
					return []Effect{{
						Verb:   "take over",
						Object: fmt.Sprintf("version %d, AES-256, label %s, a key made %s", n.Version, n.Label, outside),
						Undo:   "none needed: nothing uses it yet",
					}}
				}
				return []Effect{{
					Verb:   "generate",
					Object: fmt.Sprintf("version %d, AES-256, label %s", n.Version, n.Label),
					Undo:   "destroy the key",
				}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				if takesOver(s, f) && f[transcript.FactBegun+transcript.ActGenerate] == "" {
					return NotBegun, nil, nil
				}
				state, facts, err := keyState(ctx, s, f.Version(transcript.FactTo))
				if state == Done && takesOver(s, f) {
					facts[factKeyMade] = outside
				}
				return state, facts, err
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				if takesOver(s, f) {
					return nil, nil
				}
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
