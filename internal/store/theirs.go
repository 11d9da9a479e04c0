package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Pointer is where an application keeps the version that its writers use: a field of the one
// record of a collection that has some values. It is read, and moved when the writers are
// switched; nothing else of an application's own is written.
type Pointer struct {
	Collection string
	Filter     map[string]any // text, int64 or bool, by the name of a field; empty: there is one record
	Field      string         // a path; in SQLite a column
}

// Check refuses what no store could have.
func (p Pointer) Check() error {
	for name, value := range p.Filter {
		switch value.(type) {
		case string, int64, bool:
		default:
			return fmt.Errorf("filter %s: want text, a whole number, or true or false", printable.Quote(name))
		}
		if !envelope.IsPath(name) {
			return fmt.Errorf("filter %s: want a name of letters, digits and _", printable.Quote(name))
		}
	}
	if !envelope.IsCollection(p.Collection) || !envelope.IsPath(p.Field) {
		return fmt.Errorf("collection %s, field %s: want names of letters, digits and _", printable.Quote(p.Collection),
			printable.Quote(p.Field))
	}
	return nil
}

func (p Pointer) String() string {
	text := p.Collection + "." + p.Field
	for _, name := range slices.Sorted(maps.Keys(p.Filter)) {
		text += fmt.Sprintf(" %s=%v", name, p.Filter[name])
	}
	return printable.Text(text)
}

// Theirs is what an application that was there before ceremonies keeps of versions.
type Theirs interface {
	// TheirActive returns ErrNotFound where no record fits, and ErrPointer where more than one
	// does, or where the field is no version.
	TheirActive(context.Context, Pointer) (kek.Version, error)
	// OtherLock is a lock of ours under another name than this store's, and that name: ErrNotFound
	// where there is none, also where an application has something of such a name.
	OtherLock(context.Context) (l Lock, name string, err error)
	// Occupied names a collection of lines or heartbeats, under this store's names, that has a
	// record; empty: none has.
	Occupied(context.Context) (collection string, err error)
	// MoveTheirActive returns ErrConflict when the pointer is not at from.
	MoveTheirActive(ctx context.Context, p Pointer, from, to kek.Version) error
}
