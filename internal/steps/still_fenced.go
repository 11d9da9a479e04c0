package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrFenceGone: somebody took away what refuses a writer that slept.
var ErrFenceGone = errors.New("the server does not refuse the versions that ceremonies had it refuse")

// stillFenced demands the fence that ceremonies left, before a key is destroyed: without it, what a writer brings after
// the last count is lost.
func stillFenced(ctx context.Context, s *Site) error {
	is, err := s.Store.Fenced(ctx, s.Catalogue)
	if err != nil {
		return err
	}
	want := s.History.Versions().Refused()
	for _, c := range is {
		for _, v := range want {
			if !c.Refuses(v) {
				return fmt.Errorf("collection %s takes writes with version %d: %w", printable.Text(c.Collection), v,
					ErrFenceGone)
			}
		}
	}
	return nil
}

// unguarded is what the plan of a destruction says where no ceremony has the server refuse the version.
func unguarded(s *Site, v kek.Version) []Effect {
	if slices.Contains(s.History.Versions().Refused(), v) {
		return nil
	}
	return []Effect{{Verb: transcript.Unfenced, Object: fmt.Sprintf("the server takes writes with version %d: what is "+
		"written after the last count is lost", v), Undo: "rotate with a fence, before the destruction"}}
}
