package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// takeOver gives the store the lines and finals that it lacks. From then on its pointer and
// its versions' states count as they are.
func takeOver() Step {
	return Step{
		Name: transcript.ActTakeOver, Title: "Take over the ceremonies",
		Why: "The store gets the lines and finals that it lacks. Nothing in it is overwritten.",
		Act: &Act{
			Plan: func(s *Site, f Facts) []Effect {
				const undo = "none: ceremonies are never deleted"
				var effects []Effect
				if lacking := f[factLacking]; lacking != "" {
					effects = append(effects, Effect{Verb: "take over", Object: "ceremonies " + lacking, Undo: undo})
				}
				return append(effects, Effect{Verb: "record", Object: "the versions as they are: " + f[factStands], Undo: "rotate"})
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				m, err := merged(s)
				if err != nil {
					return NotBegun, nil, err
				}
				lacking, err := m.Lacking(ctx)
				if err != nil || len(lacking) > 0 {
					return NotBegun, nil, err
				}
				text, active, err := standing(ctx, m)
				if err != nil {
					return NotBegun, nil, err
				}
				if text != f[factStands] {
					return NotBegun, nil, fmt.Errorf("versions stand %s, approved %s: %w", text, f[factStands], history.ErrVersions)
				}
				return Done, Facts{transcript.FactStanding: text, transcript.FactActive: active.String()}, nil
			},
			Do: func(ctx context.Context, s *Site, _ Facts, _ Desk) (Facts, error) {
				m, err := merged(s)
				if err != nil {
					return nil, err
				}
				return nil, m.TakeOver(ctx)
			},
		},
	}
}
