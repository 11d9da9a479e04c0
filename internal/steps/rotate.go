package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// RotateSteps is the ceremony that moves everything to another version.
func RotateSteps(f Facts) []Step {
	steps := []Step{chainRoster(), attend(false), pin(), probe()}
	if f[factGenerate] == "yes" {
		steps = append(steps, makeKey()...)
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
		keks, active, err := s.installed(ctx, lock)
		if err != nil {
			return nil, err
		}
		if to == active.Version {
			return nil, nothingDue(ctx, s, keks, to)
		}
		exists, err := s.exists(keks, to)
		if err != nil {
			return nil, err
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
