package steps

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// goneHere reports whether the provider finds no key of a version.
func goneHere(ctx context.Context, s *Site, v kek.Version) (bool, error) {
	all, err := s.Provider.Search(ctx, s.Name(v))
	return err == nil && !provider.Left(all), err
}

// rowOf is the state of a version's row.
func rowOf(ctx context.Context, s *Site, v kek.Version) (store.State, error) {
	k, err := findKEK(ctx, s, v)
	return k.State, err
}
