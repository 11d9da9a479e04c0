package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// takeOver gives the store the lines and finals that it lacks. From then on its pointer and
// its versions' states count as they are, but for a destruction that was begun: its row says so again.
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
				forgot, err := forgotten(ctx, m)
				if err != nil || len(forgot) > 0 {
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
				if err := m.TakeOver(ctx); err != nil {
					return nil, err
				}
				return nil, remember(ctx, m)
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

// onward is the way of a version's state to its end.
var onward = map[store.State]store.State{store.Live: store.Retired, store.Retired: store.Disabled,
	store.Compromised: store.Disabled, store.Disabled: store.Destroying, store.Destroying: store.Destroyed}

// forgotten are the rows that do not say yet how far a destruction came: the chain does.
func forgotten(ctx context.Context, m *history.Merged) ([]store.KEK, error) {
	keks, err := m.KEKs(ctx)
	return slices.DeleteFunc(keks, func(k store.KEK) bool {
		made := m.Versions.Made[k.Version]
		return !made.State.Doomed() || made.State == k.State || k.State == store.Destroyed
	}), err
}

func remember(ctx context.Context, m *history.Merged) error {
	all, err := forgotten(ctx, m)
	for _, k := range all {
		for is := k.State; err == nil && is != m.Versions.Made[k.Version].State; is = onward[is] {
			err = m.MoveKEK(ctx, k.Version, is, onward[is])
		}
	}
	return err
}
