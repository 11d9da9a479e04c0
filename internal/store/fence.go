package store

import (
	"context"
	"errors"
	"slices"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
)

// ErrNoFence: the server cannot refuse writes by what is in them, or its user may not have it do so.
var ErrNoFence = errors.New("the server sets no fence")

// ErrFenceMixed: somebody wrote a part of the fence and rules of an application's into one, which nothing takes apart.
var ErrFenceMixed = errors.New("the fence stands inside the application's own validator")

// Fence has the server itself refuse writes that bring an envelope at a version which nothing may be
// written with any more. A writer that slept while the writers were switched cannot know: no write
// depends on another document.
type Fence interface {
	// CanFence returns ErrNoFence where Fence would, and ErrFenceMixed where all three would. It changes nothing.
	CanFence(context.Context, envelope.Catalogue) error
	// Fence refuses exactly these versions, at every place of the catalogue that is there; none lifts it.
	// A write that leaves an envelope as it is passes. What an application has of its own stays.
	Fence(ctx context.Context, c envelope.Catalogue, refused []kek.Version) error
	// Fenced says what is refused now, for each collection of the catalogue that is there. What was
	// changed since Fence counts as nothing.
	Fenced(context.Context, envelope.Catalogue) ([]Fenced, error)
}

// Fenced are the versions that the server refuses at every place of a collection, ascending.
type Fenced struct {
	Collection string
	Refused    []kek.Version
	Strict     bool // no write to a record that has a refused version passes, also one that leaves it
}

// Refuses reports whether a version is refused.
func (f Fenced) Refuses(v kek.Version) bool { return slices.Contains(f.Refused, v) }
