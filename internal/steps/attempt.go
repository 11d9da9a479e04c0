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

// ErrElsewhere: only that place shows what became of the key. Another one has a copy of it, or never had it.
var ErrElsewhere = errors.New("the key was about to be destroyed there")

// ErrKeeping: M approved that the key is kept. Only the abort that they approved it for continues.
var ErrKeeping = errors.New("people approved that the key is kept")

// factSearched is where a destroyed key was looked for.
const factSearched = "searched"

// whatAttempt and a digest of the place name the deviation by which people say that a place is lost.
const whatAttempt = "attempt_"

// here is the place where this run finds keys.
func here(ctx context.Context, s *Site) (string, error) {
	about, err := s.Provider.Describe(ctx)
	return transcript.KeyPlace(about), err
}

// triedHere reports whether a run of this ceremony was about to destroy the key here: it was here then. What was
// done is done.
func triedHere(ctx context.Context, s *Site, f Facts) (bool, error) {
	at, err := here(ctx, s)
	return f[factSearched] != "" || slices.Contains(f.Attempts(), at), err
}

// noneElsewhere demands that nobody was about to destroy the key at another place, or that people say that the place
// is lost: then what it has is an open copy.
func noneElsewhere(ctx context.Context, s *Site, f Facts) error {
	at, err := here(ctx, s)
	if err != nil || f[factSearched] != "" {
		return err
	}
	for _, place := range f.Attempts() {
		d := &engine.DeviationError{What: whatAttempt + transcript.Digest([]byte(place))[:8], Expected: place, Seen: at,
			Err: ErrElsewhere}
		if place != at && !s.Decided(d) {
			return d
		}
	}
	return nil
}

// mayBeGone demands a reason for which no key of the version is found: a run was about to destroy it, an earlier
// ceremony did, or people say that it is gone.
func mayBeGone(s *Site, f Facts) error {
	if f[transcript.FactCloses] == "yes" || f[factSearched] != "" || len(f.Attempts()) > 0 {
		return nil
	}
	v := f.Version(transcript.FactVersion)
	return decidedGone(s, v, fmt.Errorf("version %d: %w", v, provider.ErrNoKey))
}

// decidedGone is nil where people decided to continue without the key of a disabled version, which no ceremony
// destroyed. Otherwise it is the deviation by which they do. err: why the key is not found.
func decidedGone(s *Site, v kek.Version, err error) error {
	d := &engine.DeviationError{What: "key_gone_" + v.String(), Expected: "the key of a disabled version", Seen: "none",
		Err: err}
	if s.Decided(d) {
		return nil
	}
	return d
}

// notKept refuses to destroy a key once M approved that it is kept, wherever it is found.
func notKept(f Facts) error {
	if f[transcript.StepApproveKeep+"_signed"] != "" {
		return fmt.Errorf("version %s: %w", f[transcript.FactVersion], ErrKeeping)
	}
	return nil
}

// closesHere reports whether this token is the copy that a further destruction closes: it has the key that is to be
// destroyed, or had it when that was begun here. A copy is often older than later versions, and has no key of them.
func closesHere(ctx context.Context, s *Site, f Facts) bool {
	if f[transcript.FactCloses] != "yes" {
		return false
	}
	if tried, err := triedHere(ctx, s, f); err != nil || tried {
		return err == nil
	}
	gone, err := goneHere(ctx, s, f.Version(transcript.FactVersion))
	return err == nil && !gone
}
