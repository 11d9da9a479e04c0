package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Generate makes the next version ahead of the rotation to it, so that the fleet can load it
// in the meantime. v is the version that the command names; 0: none.
func Generate(v kek.Version) Ceremony {
	return Ceremony{
		Kind: transcript.KindGenerate, Open: openGenerate(v), Steps: generateSteps, Binds: bind,
		Matches: func(opened Facts) error {
			if to := opened.Version(transcript.FactTo); v != 0 && to != v {
				return fmt.Errorf("to version %d, asked for %d", to, v)
			}
			return nil
		},
		Command: func(opened Facts) string {
			return "kekceremony generate --version " + opened.Version(transcript.FactTo).String()
		},
		Summary: func(f Facts, _ transcript.Events) []string {
			to := f[transcript.FactTo]
			return []string{
				"Version " + to + " was generated: " + f[transcript.FactLabel] + ". Nothing uses it yet: version " +
					f[transcript.FactActive] + " is active.",
				"Next: load it on every host of the fleet, then rotate to it.",
			}
		},
		Next: func(f Facts) []engine.Next {
			return []engine.Next{{Label: "Next", Command: rotateTo(f[transcript.FactTo])}}
		},
	}
}

func generateSteps(Facts) []Step {
	return slices.Concat([]Step{chainRoster(), attend(false), place(), pin(), probe(false)}, makeKey(), []Step{leaving()})
}

// makeKey are the steps that make a version and its canary.
func makeKey() []Step {
	return []Step{approve("approve-key", transcript.ActGenerate, transcript.ActCanary), generate(), canary(false),
		copies()}
}

// openGenerate decides whether a version may be made.
func openGenerate(v kek.Version) func(context.Context, *Site, store.Lock) (Facts, error) {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		keks, active, err := installed(ctx, s, lock)
		if err != nil {
			return nil, err
		}
		exists, err := exists(s, keks, v)
		if exists {
			return nil, fmt.Errorf("version %d is there: %w", v, engine.ErrNothingDue)
		}
		if err != nil {
			return nil, err
		}
		facts := Facts{transcript.FactActive: active.Version.String(), transcript.FactTo: v.String()}
		return facts, makesBound(s, facts, active.Version)
	}
}

// installed reads what a rotation or generation starts from.
func installed(ctx context.Context, s *Site, lock store.Lock) ([]store.KEK, store.Active, error) {
	if lock.Chain == "" {
		return nil, store.Active{}, ErrNotInstalled
	}
	active, err := s.Store.Active(ctx)
	if err != nil {
		return nil, active, err
	}
	keks, err := s.Store.KEKs(ctx)
	if err == nil && len(keks) == 0 {
		err = fmt.Errorf("it has a lock but no version: %w", history.ErrHistory)
	}
	return keks, active, err
}

// exists separates a version that a closed ceremony made from the next one. Any
// other is refused.
func exists(s *Site, keks []store.KEK, v kek.Version) (bool, error) {
	_, made := s.History.Canary(v)
	exists := slices.ContainsFunc(keks, func(k store.KEK) bool { return k.Version == v })
	next := keks[len(keks)-1].Version + 1
	switch {
	case exists && !made:
		return false, fmt.Errorf("version %d: no closed ceremony generated it: %w", v, engine.ErrPlanted)
	case !exists && v != next:
		return false, fmt.Errorf("version %d: the next one is %d: %w", v, next, ErrVersion)
	}
	return exists, nil
}
