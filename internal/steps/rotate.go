package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// RotateSteps is the ceremony that moves everything to another version.
func RotateSteps(f Facts) []Step {
	steps := []Step{chainRoster(), attend(false), pin(), probe()}
	if f[factGenerate] == "yes" {
		steps = append(steps, approve("approve-key", stepGenerate, "canary"), generate(), canary(false), copies())
	}
	return append(steps,
		verifyFleet(),
		scan(),
		approve("approve", stepSwitch, stepRewrap, stepRetire),
		switchWriters(),
		acknowledge(),
		rewrapAll(),
		census(),
		retire(),
	)
}

// OpenRotate decides from which version to rotate to which, and whether the
// target must be made first.
func OpenRotate(to kek.Version) Opening {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		if lock.Chain == "" {
			return nil, ErrNotInstalled
		}
		active, err := s.Store.Active(ctx)
		if err != nil {
			return nil, err
		}
		keks, err := s.Store.KEKs(ctx)
		if err != nil {
			return nil, err
		}
		last := keks[len(keks)-1].Version
		exists := slices.ContainsFunc(keks, func(k store.KEK) bool { return k.Version == to })
		switch {
		case to == active.Version:
			return nil, nothingDue(ctx, s, keks, to)
		case !exists && to != last+1:
			return nil, fmt.Errorf("version %d: the next one is %d: %w", to, last+1, ErrVersion)
		}
		if _, made := s.History.Canary(to); exists && !made {
			return nil, fmt.Errorf("version %d: no closed ceremony made it: %w", to, ErrPlanted)
		}
		facts := Facts{factFrom: active.Version.String(), factTo: to.String(), factGenerate: "no"}
		if !exists {
			facts[factGenerate] = "yes"
		}
		return facts, nil
	}
}

// nothingDue tells "already there" from "there, but with leftovers".
func nothingDue(ctx context.Context, s *Site, keks []store.KEK, to kek.Version) error {
	for _, k := range keks {
		if k.Version != to && k.State == store.Live {
			return fmt.Errorf("version %d is active already, and version %d is still live: %w", to, k.Version, ErrVersion)
		}
	}
	left, err := leftovers(ctx, s, to)
	if err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("version %d is active already, but %d envelopes are at another: %w", to, left, ErrVersion)
	}
	return fmt.Errorf("version %d is active: %w", to, ErrNothingDue)
}

func leftovers(ctx context.Context, s *Site, to kek.Version) (int, error) {
	counts, err := s.Store.Census(ctx, s.Catalogue)
	left := 0
	for _, c := range counts {
		if c.Version != to {
			left += c.N
		}
	}
	return left, err
}
