package keyring

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/binding"
)

// element is the id of a record, with the keys of the elements that an envelope is in.
type element struct {
	id   any
	keys []any
}

func (e element) String() string { return fmt.Sprintf("%v, element %v", e.id, e.keys) }

// Element is what Seal and Open take as the id of an envelope in an array: the record's id, and the
// key of the element, which the catalogue names. In arrays within arrays there is one for each, the
// outermost first. Keys are of the types of ids. Under a version that is bound, nothing else names the
// envelope; a number would be another element's tomorrow.
func Element(id any, keys ...any) any { return element{id, keys} }

// known refuses a place that is not in the catalogue, and what is no id. It returns what the envelope
// is bound to under a version that is; nil: the id does not say enough for that.
func (r *Ring) known(place string, id any) ([]byte, error) {
	p, ok := r.places[place]
	if !ok {
		return nil, fmt.Errorf("place %q: %w", place, ErrPlace)
	}
	e, ok := id.(element)
	if !ok {
		e.id = id
	}
	record, err := binding.IDOf(e.id)
	if err != nil {
		return nil, err
	}
	keys := make([]binding.ID, len(e.keys))
	for i, key := range e.keys {
		if keys[i], err = binding.IDOf(key); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	switch arrays := strings.Count(p.Path, "[]"); {
	case len(keys) == arrays:
		return binding.DEK(r.chain, p.Stable(), record, keys...), nil
	case len(keys) > 0:
		return nil, fmt.Errorf("place %q: %d keys, want %d: %w", place, len(keys), arrays, ErrID)
	}
	return nil, nil
}
