package exposure

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// ErrFewer: a list has fewer envelopes than are counted. What it lacks would never be due.
var ErrFewer = errors.New("fewer envelopes were listed than are counted")

// Wanted are the envelopes to list.
type Wanted struct {
	At map[kek.Version]bool // versions; what is at a version that cannot be read may be at any, and is listed too
	// Written is the version that applications write with: the number of its envelopes changes at any
	// time. 0: none.
	Written kek.Version
}

// has reports whether one of an envelope's versions is wanted: its own, and its record's.
func (w Wanted) has(versions []kek.Version) bool {
	return slices.ContainsFunc(versions, func(v kek.Version) bool { return v == 0 || w.At[v] })
}

// Found is what a look at an application's records finds.
type Found struct {
	List   List
	Places []string // in which they are, each with the form of its payloads
}

// Of lists the wanted envelopes at the places of a catalogue, but those that were cleared: they have no
// wrapped DEK and no payload. It returns ErrFewer where the census has more of them.
func Of(ctx context.Context, s store.Envelopes, cat envelope.Catalogue, w Wanted) (f Found, err error) {
	census, err := w.census(ctx, s, cat)
	if err != nil || len(census) == 0 {
		return f, err
	}
	seen := map[counted]int{}
	err = each(ctx, s, cat, func(c envelope.Collection, d store.Document, h store.Held) {
		for _, v := range versionsOf(c, d, h) {
			seen[counted{c.Name, v}]++
		}
		f.take(w, c, d, h)
	})
	if err != nil {
		return f, err
	}
	f.sort()
	return f, w.complete(ctx, s, cat, seen)
}

// Among lists the wanted envelopes of some records.
func Among(c envelope.Collection, docs []store.Document, w Wanted) (f Found) {
	for _, d := range docs {
		for _, h := range d.Envelopes {
			f.take(w, c, d, h)
		}
	}
	f.sort()
	return f
}

func (f *Found) take(w Wanted, c envelope.Collection, d store.Document, h store.Held) {
	if cleared(h) || !w.has(versionsOf(c, d, h)) {
		return
	}
	f.List = append(f.List, digestOf(h.Nonce, h.Ciphertext))
	for _, p := range placesOf(c, h) {
		if !slices.Contains(f.Places, p) {
			f.Places = append(f.Places, p)
		}
	}
}

func (f *Found) sort() {
	f.List.sort()
	slices.Sort(f.Places)
}

// counted is what a census counts of a collection.
type counted struct {
	collection string
	version    kek.Version
}

// census counts the wanted ones.
func (w Wanted) census(ctx context.Context, s store.Envelopes, cat envelope.Catalogue) (map[counted]int, error) {
	all, err := s.Census(ctx, cat)
	wanted := map[counted]int{}
	for _, c := range all {
		if w.has([]kek.Version{c.Version}) && c.N > 0 {
			wanted[counted{c.Place.Collection, c.Version}] += c.N
		}
	}
	return wanted, err
}

// complete compares what was seen with a census that is taken after it. Nothing is written with any version
// but one, so there are no more of the others than there were.
func (w Wanted) complete(
	ctx context.Context, s store.Envelopes, cat envelope.Catalogue, seen map[counted]int,
) error {
	census, err := w.census(ctx, s, cat)
	for c, n := range census {
		if c.version == w.Written && c.version != 0 {
			n = 1
		}
		if err == nil && seen[c] < n {
			err = fmt.Errorf("%s: %d at version %d: %w", c.collection, seen[c], c.version, ErrFewer)
		}
	}
	return err
}

// Left counts the envelopes that are still those of a list.
func Left(ctx context.Context, s store.Envelopes, cat envelope.Catalogue, l List) (n int, err error) {
	if len(l) == 0 {
		return 0, nil
	}
	err = each(ctx, s, cat, func(_ envelope.Collection, _ store.Document, h store.Held) {
		if !cleared(h) && l.has(digestOf(h.Nonce, h.Ciphertext)) {
			n++
		}
	})
	return n, err
}

// each reads every envelope of a catalogue, as the census does.
func each(
	ctx context.Context, s store.Envelopes, cat envelope.Catalogue,
	found func(envelope.Collection, store.Document, store.Held),
) error {
	for _, c := range cat.Collections() {
		c.Payloads = true
		err := s.Every(ctx, c, func(d store.Document) error {
			for _, h := range d.Envelopes {
				found(c, d, h)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// versionsOf are those at which a census counts an envelope.
func versionsOf(c envelope.Collection, d store.Document, h store.Held) []kek.Version {
	if c.Outer != "" && d.Version != h.Version {
		return []kek.Version{h.Version, d.Version}
	}
	return []kek.Version{h.Version}
}

// cleared reports whether an application took an envelope away, and left its version. What cannot be read is
// not taken away.
func cleared(h store.Held) bool {
	return h.Version != 0 && len(h.WrappedDEK)+len(h.Nonce)+len(h.Ciphertext) == 0
}

// placesOf are the place of an envelope; of one at no place's path, such as a list, all of its collection.
func placesOf(c envelope.Collection, h store.Held) (names []string) {
	for _, p := range c.Places {
		if _, known := c.Place(h.Path); !known || p.Path == envelope.PlaceOf(h.Path) {
			names = append(names, nameOf(p))
		}
	}
	return names
}

// nameOf is that of a place with the form of its payloads, by which envelopes are known again.
func nameOf(p envelope.Place) string {
	named := envelope.At(p.Collection, p.Path)
	named.Parts.Nonce, named.Parts.Ciphertext, named.Bytes = p.Parts.Nonce, p.Parts.Ciphertext, p.Bytes
	return named.Describe()
}

// Places are the names of all places of a catalogue, as Found has them.
func Places(cat envelope.Catalogue) (names []string) {
	for _, p := range cat {
		names = append(names, nameOf(p))
	}
	return names
}

// Lacking are those of some places, as Found names them, that a catalogue does not have, or has with
// payloads of another form: what is there would not be known again.
func Lacking(cat envelope.Catalogue, places []string) []string {
	return slices.DeleteFunc(slices.Clone(places), func(name string) bool {
		return slices.Contains(Places(cat), name)
	})
}
