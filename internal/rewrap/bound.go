package rewrap

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// boundTo is what an envelope is bound to, if its version is bound; nil: nothing names it, and no bound
// version opens it, nor wraps it.
func boundTo(chain kek.Chain, c envelope.Collection, d store.Document, h store.Held) []byte {
	place, ok := c.Place(h.Path)
	if !ok || d.Bound.IsZero() || place.HasArrays() && len(h.Keys) == 0 {
		return nil
	}
	keys := make([]binding.ID, len(h.Keys))
	for i, key := range h.Keys {
		if key.ID.IsZero() {
			return nil
		}
		keys[i] = key.ID
	}
	return binding.DEK(chain, place.Stable(), d.Bound, keys...)
}

// item is what the provider gets of an envelope. Before its DEK is bound for the first time, it must
// open the payload: one that was exchanged for another earlier is found, and not sealed in. Where the
// application has additional authenticated data of its own, nobody here can open it.
func (r *run) item(c envelope.Collection, d *store.Document, h *store.Held) provider.Item {
	from, to := r.name(h.Version), r.name(r.To)
	it := provider.Item{From: from, Wrapped: h.WrappedDEK}
	if from.Bound || to.Bound {
		it.Binding = boundTo(r.Chain, c, *d, *h)
	}
	if to.Bound && !from.Bound {
		if place, _ := c.Place(h.Path); !place.PayloadAAD {
			it.Payload = &provider.Payload{Nonce: h.Nonce, Ciphertext: h.Ciphertext}
		}
	}
	return it
}

// Bindable looks at every envelope that is not at the target, before anything is made or moved for it. It
// returns ErrUnnamed, with the names of the first, when no binding can name some: a re-wrap would stop
// at them in its middle. What is excluded may stay where it is.
func Bindable(
	ctx context.Context, s store.Envelopes, cat envelope.Catalogue, chain kek.Chain, to kek.Version, excluded []string,
) error {
	var unnamed []string
	may := setOf(excluded)
	for _, c := range cat.Collections() {
		var after any
		for {
			docs, err := s.Page(ctx, c, to, after, maxPage)
			if err != nil {
				return err
			}
			if len(docs) == 0 {
				break
			}
			for _, d := range docs {
				for _, h := range d.Envelopes {
					if name := nameOf(c, d, h); h.Version != to && !may[name] && boundTo(chain, c, d, h) == nil {
						unnamed = append(unnamed, name)
					}
				}
			}
			after = docs[len(docs)-1].ID
		}
	}
	if len(unnamed) > 0 {
		return fmt.Errorf("%w: %s", ErrUnnamed, firstOf(unnamed))
	}
	return nil
}
