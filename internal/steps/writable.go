package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// writable refuses a version that no rotation may go to.
func writable(k store.KEK) error {
	why := ErrNotInUse
	switch k.State {
	case store.Live, store.Retired:
		return nil
	case store.Compromised:
		why = ErrCompromised
	case store.Disabled:
		why = ErrDisabled
	case store.Destroying, store.Destroyed:
		why = neverAgain(k.State)
	}
	return fmt.Errorf("version %d: %w", k.Version, why)
}

// neverAgain is why a version whose destruction was begun is not used again. Only one that is
// destroying can be completed.
func neverAgain(state store.State) error {
	if state == store.Destroyed {
		return ErrKeyGone
	}
	return ErrDestroying
}

// mayRotateTo refuses a version that is there and may not be written again, by the store or by what
// ceremonies did.
func mayRotateTo(ctx context.Context, s *Site, v kek.Version) error {
	k, err := findKEK(ctx, s, v)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = writable(k)
	}
	if made, ok := s.History.Versions().Made[v]; err == nil && ok {
		err = writable(made)
	}
	return err
}
