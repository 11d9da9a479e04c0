package steps

import (
	"context"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// RotateSteps is the ceremony that moves everything to another version.
func RotateSteps(f Facts) []Step {
	steps := []Step{chainRoster(), attend(false), place(), pin(), probe()}
	if f[transcript.FactGenerate] == "yes" {
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
		leaving(),
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
		if s.From != 0 && s.From != active.Version {
			return nil, fmt.Errorf("rotate from version %d: version %d is active: %w", s.From, active.Version, ErrFrom)
		}
		if to == active.Version {
			if err := somethingDue(ctx, s, keks, to); err != nil {
				return nil, err
			}
		}
		exists, err := s.exists(keks, to)
		if err != nil {
			return nil, err
		}
		facts := Facts{transcript.FactFrom: active.Version.String(), transcript.FactTo: to.String(), transcript.FactGenerate: "no"}
		if !exists {
			facts[transcript.FactGenerate] = "yes"
		}
		if len(s.Exclude) > 0 {
			facts[transcript.FactExclude] = strings.Join(s.Exclude, "\n")
		}
		return facts, nil
	}
}

// somethingDue returns ErrNothingDue when the active version is all there is. It
// is not after a rotation to it was given up, or when a forgotten writer wrote
// with another one.
func somethingDue(ctx context.Context, s *Site, keks []store.KEK, to kek.Version) error {
	for _, k := range keks {
		if k.Version < to && k.State == store.Live {
			return nil
		}
	}
	left, err := leftovers(ctx, s, to, nil)
	if err == nil && left == 0 {
		err = fmt.Errorf("version %d is active: %w", to, ErrNothingDue)
	}
	return err
}

func leftovers(ctx context.Context, s *Site, to kek.Version, excluded []string) (int, error) {
	left, _, err := rewrap.Left(ctx, s.Store, s.Catalogue, to, excluded)
	return left, err
}
