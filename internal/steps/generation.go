package steps

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// GenerateSteps is the ceremony that makes the next version ahead of the
// rotation to it, so that the fleet can load it in the meantime.
func GenerateSteps(Facts) []Step {
	return slices.Concat([]Step{chainRoster(), attend(false), place(), pin(), probe()}, makeKey(), []Step{leaving()})
}

// makeKey are the steps that make a version and its canary.
func makeKey() []Step {
	return []Step{approve("approve-key", stepGenerate, "canary"), generate(), canary(false), copies()}
}

// OpenGenerate decides whether a version may be made.
func OpenGenerate(v kek.Version) Opening {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		keks, active, err := s.installed(ctx, lock)
		if err != nil {
			return nil, err
		}
		exists, err := s.exists(keks, v)
		if exists {
			return nil, fmt.Errorf("version %d is there: %w", v, ErrNothingDue)
		}
		return Facts{transcript.FactActive: active.Version.String(), transcript.FactTo: v.String()}, err
	}
}

// installed reads what a rotation or generation starts from.
func (s *Site) installed(ctx context.Context, lock store.Lock) ([]store.KEK, store.Active, error) {
	if lock.Chain == "" {
		return nil, store.Active{}, ErrNotInstalled
	}
	active, err := s.Store.Active(ctx)
	if err != nil {
		return nil, active, err
	}
	keks, err := s.Store.KEKs(ctx)
	if err == nil && len(keks) == 0 {
		err = fmt.Errorf("a lock and no version: %w", ErrHistory)
	}
	return keks, active, err
}

// exists tells a version that a closed ceremony made from the next one. Any
// other is refused.
func (s *Site) exists(keks []store.KEK, v kek.Version) (bool, error) {
	_, made := s.History.Canary(v)
	exists := slices.ContainsFunc(keks, func(k store.KEK) bool { return k.Version == v })
	next := keks[len(keks)-1].Version + 1
	switch {
	case exists && !made:
		return false, fmt.Errorf("version %d: no closed ceremony made it: %w", v, ErrPlanted)
	case !exists && v != next:
		return false, fmt.Errorf("version %d: the next one is %d: %w", v, next, ErrVersion)
	}
	return exists, nil
}
