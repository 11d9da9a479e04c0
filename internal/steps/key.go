package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// copies has people say where else the new key exists.
func copies() Step {
	return Step{
		Name: "copies", Title: "Copies of the key",
		Why: "A key without a copy is lost if its device fails.",
		Ask: &Form{Fields: []Field{{
			Name: "copies", Question: "Where else does the key exist?",
			Help:    "device serial, who, when; or: none",
			Example: "HSM 5b1f in safe B, bob, 2026-11-23",
			Check: func(_ *Site, answer string) (Facts, error) {
				return Facts{"copies": printable.Text(answer)}, nil
			},
			Propose: rehearsed("none"),
		}, {
			Name: "planned_end", Question: "Planned end of use for this key", Help: "YYYY-MM-DD", Example: "2028-12-31",
			Check: orNot("planned_end", func(_ *Site, answer string) error {
				if _, err := time.Parse(time.DateOnly, answer); err != nil {
					return errors.New("want YYYY-MM-DD")
				}
				return nil
			}),
			Propose: rehearsed(notSeen),
		}}},
	}
}
