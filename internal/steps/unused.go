package steps

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// unused refuses a store that has a lock, versions or ceremonies of ours.
func unused(ctx context.Context, s *Site, lock store.Lock) error {
	if lock.Chain != "" {
		return fmt.Errorf("provider %s, chain %s: %w",
			printable.Text(lock.Provider), printable.Text(string(lock.Chain)), ErrInstalled)
	}
	keks, err := s.Store.KEKs(ctx)
	if err != nil {
		return err
	}
	if len(keks) > 0 {
		return fmt.Errorf("it holds version %d: %w", keks[0].Version, ErrStoreUsed)
	}
	if active, err := s.Store.Active(ctx); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(fmt.Errorf("its pointer names version %d: %w", active.Version, ErrStoreUsed), err)
	}
	if s.PinnedChain != "" && len(s.History.Logs) == 0 {
		return fmt.Errorf("the configuration names chain %s; the first ceremony creates a new one: %w", s.PinnedChain,
			ErrStoreUsed)
	}
	if len(s.History.Logs) > 0 {
		return fmt.Errorf("it holds %d ceremonies: %w", len(s.History.Logs), ErrStoreUsed)
	}
	return nil
}
