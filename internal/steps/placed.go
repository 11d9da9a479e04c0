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

// checkPlaced looks for a key of the version that this ceremony is about to make. It refuses
// one, unless people have decided to take it over. A key on a token is never taken over, nor is
// any by an install.
func checkPlaced(ctx context.Context, s *Site, f Facts) error {
	makes := f[transcript.FactKind] != transcript.KindInstall &&
		slices.Contains(transcript.Required(f), transcript.ActGenerate)
	if !makes || s.Kind.OnToken() || f[transcript.FactBegun+transcript.ActGenerate] != "" || takesOver(s, f) {
		return nil
	}
	v := f.Version(transcript.FactTo)
	_, err := s.Provider.Find(ctx, s.Name(v))
	switch {
	case errors.Is(err, provider.ErrNoKey):
		return nil
	case err != nil:
		return err
	}
	return placed(v)
}
