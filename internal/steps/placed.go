package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrPlaced: nobody saw how this key was made, and who else has it. Where keys are
// configuration, people may place one on the hosts before the ceremony that makes it a version.
var ErrPlaced = errors.New("its key is there, and no ceremony made it")

const outside = "outside a ceremony"

// placed is the deviation of a version whose key people placed.
func placed(v kek.Version) *engine.DeviationError {
	return &engine.DeviationError{What: factKeyMade, Expected: "in a ceremony", Seen: outside,
		Err: fmt.Errorf("version %d: %w", v, ErrPlaced)}
}

// factKeyMade is where the key of a version was made that people placed.
const factKeyMade = "key_made"

// takesOver reports whether people decided to make a key that was placed the version of this
// ceremony.
func takesOver(s *Site, f Facts) bool { return s.Decided(placed(f.Version(transcript.FactTo))) }

// ErrWritten: an application wrote with a key that is not the one to be made.
var ErrWritten = errors.New("no ceremony made it")

// unwritten refuses a version that envelopes are at before its key is made: another key opens them,
// and no count would find them again.
func unwritten(ctx context.Context, s *Site, v kek.Version) error {
	counts, err := s.Store.Census(ctx, s.Catalogue)
	for _, c := range counts {
		if err == nil && c.Version == v {
			err = fmt.Errorf("%d envelopes in %s are at version %d: %w", c.N, c.Place, v, ErrWritten)
		}
	}
	return err
}

// checkPlaced looks for a key of the version that this ceremony is about to make. It refuses
// one, unless people have decided to take it over, and envelopes that are at it without one. A key on
// a token is never taken over, nor is any by an install.
func checkPlaced(ctx context.Context, s *Site, f Facts) error {
	makes := f[transcript.FactKind] != transcript.KindInstall &&
		slices.Contains(transcript.Required(f), transcript.ActGenerate)
	if !makes || f[transcript.FactBegun+transcript.ActGenerate] != "" || takesOver(s, f) {
		return nil
	}
	v := f.Version(transcript.FactTo)
	if s.Kind.OnToken() {
		return unwritten(ctx, s, v)
	}
	_, err := s.Provider.Find(ctx, s.Name(v))
	switch {
	case errors.Is(err, provider.ErrNoKey):
		return unwritten(ctx, s, v)
	case err != nil:
		return err
	}
	return placed(v)
}
