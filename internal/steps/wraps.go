package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// reserve counts wraps under a version before they are done. It returns ErrSpent, and nothing may be
// wrapped, where too many are counted then.
func reserve(ctx context.Context, s *Site, v kek.Version, n int) error {
	total, err := s.Store.ReserveWraps(ctx, v, n)
	if err != nil {
		return err
	}
	return refuseSpent(v, total)
}

// unspent returns ErrSpent for a version under which too many wraps would be counted after so many more.
// What the fleet wraps meanwhile is its own.
func unspent(ctx context.Context, s *Site, v kek.Version, more int) error {
	all, err := s.Store.Wraps(ctx)
	if err != nil {
		return err
	}
	return refuseSpent(v, all[v]+kek.Wraps(more))
}

func refuseSpent(v kek.Version, w kek.Wraps) error {
	if !w.Spent() {
		return nil
	}
	return fmt.Errorf("version %d: %s: %w", v, w, ErrSpent)
}
