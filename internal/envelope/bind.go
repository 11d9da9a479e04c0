package envelope

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/binding"
)

// Bind is what a place declares for versions that are bound.
type Bind struct {
	Name string // that never changes, whatever becomes of collection and path; empty: COLLECTION.PATH
	Key  string // field of an array's element that names it within the array
	// PayloadAAD says that the application seals payloads with additional authenticated data of its own,
	// so that a ceremony cannot open them.
	PayloadAAD bool
}

func (b Bind) String() string {
	var all []string
	for _, one := range [][2]string{{"name", b.Name}, {"key", b.Key}} {
		if one[1] != "" {
			all = append(all, one[0]+"="+one[1])
		}
	}
	if b.PayloadAAD {
		all = append(all, "payload_aad")
	}
	return strings.Join(all, ",")
}

func (b Bind) check(p Place) error {
	if b.Name != "" && !IsCollection(b.Name) {
		return fmt.Errorf("place %q: name %q: want letters, digits, _, . and -", p, b.Name)
	}
	if b.Key != "" && (!p.HasArrays() || !nameForm.MatchString(b.Key)) {
		return fmt.Errorf("place %q: key %q: want the name of a field of an array's elements", p, b.Key)
	}
	if strings.HasSuffix(p.Path, "[]") && slices.Contains(p.Form.parts(), b.Key) {
		return fmt.Errorf("place %q: key %q: %w", p, b.Key, ErrKeyChanges)
	}
	return nil
}

// Stable is the name of a place in bindings.
func (p Place) Stable() string {
	if p.Name != "" {
		return p.Name
	}
	return p.String()
}

// ErrKey is returned for a place whose envelopes cannot be bound.
var ErrKey = errors.New("its elements have no declared key: a number may be another element's tomorrow")

// ErrKeyChanges is returned for a key that is a part of the envelope itself, where the element is one.
// What was bound to it would open no more once it was re-wrapped.
var ErrKeyChanges = errors.New("a part of the envelope changes when it is re-wrapped, and names nothing")

// Bindable refuses a place whose envelopes no binding can name.
func (c Catalogue) Bindable() error {
	for _, p := range c {
		if p.HasArrays() && p.Key == "" {
			return fmt.Errorf("place %q: %w", p, ErrKey)
		}
	}
	return nil
}

// unique refuses places of one name in bindings: what is bound to one would open at the other.
func (c Catalogue) unique() error {
	seen := map[string]Place{}
	for _, p := range c {
		if q, ok := seen[p.Stable()]; ok {
			return fmt.Errorf("places %q and %q have the same name", q, p)
		}
		seen[p.Stable()] = p
	}
	return nil
}

// Key is the declared key of an array's element on the way to an envelope.
type Key struct {
	Path  string // tokens[2].id
	Value Tree   // nil: the element has none
	ID    binding.ID
}

// keyed are the elements' keys, in order. One that another element of the array has too is none.
func (w *walk) keyed(elements []Tree, path string) []Key {
	keys, seen := make([]Key, len(elements)), map[binding.ID]int{}
	for i, e := range elements {
		keys[i].Path = join(element(path, i), w.key)
		if value, ok := e.Field(w.key); ok {
			keys[i].Value = value
			keys[i].ID, _ = value.ID() // none where it can be no id
		}
		seen[keys[i].ID]++
	}
	for i := range keys {
		if seen[keys[i].ID] > 1 {
			keys[i].ID = binding.ID{}
		}
	}
	return keys
}
