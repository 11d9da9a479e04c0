package steps

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// goneHere reports whether the provider finds no key of a version.
func goneHere(ctx context.Context, s *Site, v kek.Version) (bool, error) {
	all, err := s.Provider.Search(ctx, s.Name(v))
	return err == nil && !provider.Left(all), err
}

// closesHere reports whether this token is the copy that a further destruction closes: it has the key that is to be
// destroyed, or had it when that was begun. A copy is often older than later versions, and has no key of them.
func closesHere(ctx context.Context, s *Site, f Facts) bool {
	if f[transcript.FactCloses] != "yes" {
		return false
	}
	if f[transcript.FactBegun+transcript.ActDestroy] != "" {
		return true
	}
	gone, err := goneHere(ctx, s, f.Version(transcript.FactVersion))
	return err == nil && !gone
}

// rowOf is the state of a version's row.
func rowOf(ctx context.Context, s *Site, v kek.Version) (store.State, error) {
	k, err := findKEK(ctx, s, v)
	return k.State, err
}
