package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
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
					effects = append(effects, Effect{Verb: "take over", Undo: undo,
						Object: "ceremonies " + lacking + "; sha256 of all that the bundles have " + f[factBundles]})
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
				facts := Facts{transcript.FactStanding: text, transcript.FactActive: active.String()}
				return Done, facts, otherCanaries(ctx, m, f, facts)
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				m, err := merged(s)
				if err != nil {
					return nil, err
				}
				if sum := m.Digest(s.Seq); sum != f[factBundles] {
					return nil, fmt.Errorf("the bundles are others than people approved: %w", engine.ErrPlanMoved)
				}
				return nil, m.TakeOver(ctx)
			},
		},
	}
}

// otherCanaries adds the digests of canaries that are other ones than the last that a ceremony wrote
// down: a copy of the store may have an earlier one, of the same key.
func otherCanaries(ctx context.Context, m *history.Merged, f, facts Facts) error {
	keks, err := m.KEKs(ctx)
	for _, k := range keks {
		if made, ok := m.Versions.Made[k.Version]; ok && !rebuilds(f, k.Version) && k.Canary.SHA256 != made.Canary.SHA256 {
			facts[transcript.FactCanary(k.Version)] = k.Canary.SHA256
		}
	}
	return err
}
