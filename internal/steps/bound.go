package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Refusals of bound versions.
var (
	ErrNotBound  = errors.New("the ceremony that made it did not bind it, and no other can")
	ErrBoundRow  = errors.New("its row does not say of it what the ceremony that made it decided")
	ErrUnchecked = errors.New("payloads that only the application can open")
)

// makesBound records that the version which a ceremony makes is bound, if that was asked, or the
// active version is: nothing goes back to records that anyone can exchange unless people rotate to a
// version that was made before.
func makesBound(s *Site, facts Facts, active kek.Version) error {
	if !s.Bind && !s.Name(active).Bound {
		return nil
	}
	facts[transcript.FactBound] = "yes"
	return s.Catalogue.Bindable()
}

// bindable refuses a rotation to a version of an earlier ceremony that is not bound, where that was
// asked, and to one that is, where the catalogue cannot name every envelope.
func bindable(s *Site, to kek.Version) error {
	switch {
	case s.Name(to).Bound:
		return s.Catalogue.Bindable()
	case s.Bind:
		return fmt.Errorf("version %d: %w", to, ErrNotBound)
	}
	return nil
}

// sameBound refuses a row that lies about its version. Processes believe the canary and no row, so it
// would only keep them from the version.
func sameBound(s *Site, k store.KEK) error {
	if k.Bound != s.Name(k.Version).Bound {
		return fmt.Errorf("version %d: %w", k.Version, ErrBoundRow)
	}
	return nil
}

// bindsFirst reports whether envelopes may be at versions that are not bound, and go to one that is.
func bindsFirst(s *Site, to kek.Version) bool {
	return s.Name(to).Bound && unboundBefore(s, to)
}

// unboundBefore reports whether envelopes may be at versions that are not bound.
func unboundBefore(s *Site, to kek.Version) bool {
	for v, k := range s.History.Versions().Made {
		if v != to && !k.Bound && k.State.Readable() {
			return true
		}
	}
	return false
}

// nameable refuses a rotation that would bind for the first time, before it makes anything, where no binding
// can name an envelope.
func nameable(ctx context.Context, s *Site, facts Facts, excluded []string) error {
	to := facts.Version(transcript.FactTo)
	if facts[transcript.FactBound] != "yes" && !s.Name(to).Bound || !unboundBefore(s, to) {
		return nil
	}
	return rewrap.Bindable(ctx, s.Store, s.Catalogue, s.Chain, to, excluded)
}

// whatUnchecked is the deviation of places whose payloads no ceremony can open.
const whatUnchecked = "unchecked"

// checkable refuses envelopes that no binding can name. It has people decide about places where a data
// key that somebody exchanged earlier would be bound to the wrong record, since only the application can
// open the payload.
func checkable(ctx context.Context, s *Site, to kek.Version, excluded []string) error {
	if !bindsFirst(s, to) {
		return nil
	}
	if err := rewrap.Bindable(ctx, s.Store, s.Catalogue, s.Chain, to, excluded); err != nil {
		return err
	}
	counts, err := s.Store.Census(ctx, s.Catalogue)
	if err != nil {
		return err
	}
	var places []string
	for _, c := range counts {
		if c.Place.PayloadAAD && c.N > 0 && !s.Name(c.Version).Bound && !slices.Contains(places, c.Place.String()) {
			places = append(places, c.Place.String())
		}
	}
	if len(places) == 0 {
		return nil
	}
	d := &engine.DeviationError{What: whatUnchecked, Expected: "every payload opens before its data key is bound",
		Seen: strings.Join(places, " "), Err: ErrUnchecked}
	if s.Decided(d) {
		return nil
	}
	return d
}
