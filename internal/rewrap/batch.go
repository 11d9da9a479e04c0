package rewrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// batch is a page after the provider: what to write, and what not.
type batch struct {
	of            envelope.Collection
	swaps         []store.Swap
	current       int      // envelopes at the target already
	undecryptable []string // envelopes that no key opens, by name
	passed        []string // excluded ones, by name
	last          any      // id of the page's last document
}

// place is that of an envelope in a page.
type place struct{ doc, envelope int }

// batch re-wraps a page. Each answer must carry the bytes of the item in its place.
func (r *run) batch(ctx context.Context, c envelope.Collection, docs []store.Document) (batch, error) {
	b := batch{of: c, last: docs[len(docs)-1].ID}
	items := make([]provider.Item, 0, len(docs))
	places := make([]place, 0, len(docs))
	for i := range docs {
		d := &docs[i]
		for j := range d.Envelopes {
			h := &d.Envelopes[j]
			if h.Version == r.To {
				b.current++
				continue
			}
			items = append(items, r.item(c, d, h))
			places = append(places, place{i, j})
		}
	}
	answers, err := r.Provider.Rewrap(ctx, items, r.name(r.To))
	if err != nil {
		return b, err
	}
	if err := inOrder(items, answers); err != nil {
		return b, err
	}
	renewed, room := make([][]store.Held, len(docs)), make([]store.Held, 0, len(items))
	for n, at := range places {
		d := &docs[at.doc]
		h := &d.Envelopes[at.envelope]
		if a := answers[n]; a.Err != nil {
			if err := r.blame(ctx, h.Version, a.Err); err != nil {
				return b, err
			}
			if name := nameOf(c, *d, *h); r.excluded[name] {
				b.passed = append(b.passed, name)
			} else {
				b.undecryptable = append(b.undecryptable, name)
			}
		} else {
			h.WrappedDEK = a.Old // the old bytes come from the answer (promise 3)

			// Those of a record stand together: items are in the order of records.
			room = append(room, store.Held{Path: h.Path, Version: r.To, WrappedDEK: a.New})
			first := len(room) - 1 - len(renewed[at.doc])
			renewed[at.doc] = room[first:len(room):len(room)]
		}
	}
	b.swaps = make([]store.Swap, 0, len(docs))
	for i, d := range docs {
		if len(renewed[i]) > 0 || r.onlyOuter(d) {
			b.swaps = append(b.swaps, store.Swap{Old: d, New: renewed[i], To: r.To})
		}
	}
	return b, nil
}

// name is that of a version's key; each is made once. Only the re-wrap stage asks.
func (r *run) name(v kek.Version) kek.Name {
	n, ok := r.names[v]
	if !ok {
		n = kek.NameOf(r.Chain, v)
		if r.Name != nil {
			n = r.Name(v)
		}
		r.names[v] = n
	}
	return n
}

// onlyOuter reports whether nothing of a record is due but its outer version.
func (r *run) onlyOuter(d store.Document) bool {
	if len(d.Envelopes) == 0 {
		return false
	}
	for _, h := range d.Envelopes {
		if h.Version != r.To {
			return false
		}
	}
	return true
}

// nameOf is how an envelope is named to people: COLLECTION.PATH and id.
func nameOf(c envelope.Collection, d store.Document, h store.Held) string {
	return fmt.Sprintf("%s.%s %s", c.Name, h.Path, printable.Text(fmt.Sprint(d.ID)))
}

// inOrder refuses answers that were not made from the items, one from each, or bring nothing new. Each wrapped
// DEK has an IV of its own, so that its bytes tell which it is (promise 3).
func inOrder(items []provider.Item, answers []provider.Rewrapped) error {
	if len(answers) != len(items) {
		return fmt.Errorf("the provider gave %d answers to %d envelopes", len(answers), len(items))
	}
	for i, a := range answers {
		if !bytes.Equal(a.Old, items[i].Wrapped) {
			return errors.New("the provider answered for another envelope than it was asked")
		}
		if a.Err == nil && (len(a.New) == 0 || bytes.Equal(a.New, a.Old)) {
			return errors.New("the provider did not wrap an envelope again, and says that it did")
		}
	}
	return nil
}

// blame returns nil when the envelope is at fault, also for a version that there
// is none of, and the provider's error when a key does not even open its canary.
func (r *run) blame(ctx context.Context, from kek.Version, cause error) error {
	for _, v := range []kek.Version{from, r.To} {
		err := r.Canary(ctx, v)
		none := errors.Is(err, provider.ErrNoKey) || errors.Is(err, store.ErrNotFound)
		if err != nil && !(v == from && none) {
			return errors.Join(cause, err)
		}
	}
	return nil
}
