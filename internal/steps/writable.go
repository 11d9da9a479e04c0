package steps

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/store"
)

// writable refuses a version that no rotation may go to.
func writable(k store.KEK) error {
	switch k.State {
	case store.Live, store.Retired:
		return nil
	case store.Compromised:
		return fmt.Errorf("version %d: %w", k.Version, ErrCompromised)
	}
	return fmt.Errorf("version %d is %s: %w", k.Version, k.State, ErrNotInUse)
}
