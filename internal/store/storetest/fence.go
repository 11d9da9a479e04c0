package storetest

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// fences has the server refuse versions. False: it cannot, and says so; then nothing is refused.
func fences(t *testing.T, s store.Store, cat envelope.Catalogue, refused ...kek.Version) bool {
	t.Helper()
	err := s.CanFence(t.Context(), cat)
	if !errors.Is(err, store.ErrNoFence) {
		want(t, "can fence", err, nil)
		want(t, "fence", s.Fence(t.Context(), cat, refused), nil)
		return true
	}
	want(t, "fence", s.Fence(t.Context(), cat, refused), store.ErrNoFence)
	want(t, "lift", s.Fence(t.Context(), cat, nil), nil)
	for _, f := range fenced(t, s, cat) {
		same(t, "refused in "+f.Collection, len(f.Refused), 0)
	}
	t.Log("this server sets no fence")
	return false
}

func fenced(t *testing.T, s store.Store, cat envelope.Catalogue) []store.Fenced {
	t.Helper()
	all, err := s.Fenced(t.Context(), cat)
	want(t, "fenced", err, nil)
	return all
}

// Refused demands that the server refuses a write, by the version and the collection.
func Refused(t *testing.T, what string, err error, names ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: it was written", what)
		return
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, which does not name %s", what, err, name)
		}
	}
}

// testFence: a writer that slept cannot write with a version that is fenced off, whether it inserts a
// record or writes over one. What does not bring such an envelope passes, and so does the re-wrap's own
// swap.
func testFence(t *testing.T, b Backend) {
	s, a := with(t, b, record("old", 1, "f", "g"), record("swapped", 1, "f"), record("new", 2, "f"))
	a.Put(t, record("mixed", 1, "h"))
	if !fences(t, s, things, 1, 3, 4, 5) {
		return
	}
	same(t, "fenced", fenced(t, s, things), []store.Fenced{{Collection: three.Name, Refused: []kek.Version{1, 3, 4, 5}}})
	for _, v := range []kek.Version{1, 3, 4, 5} {
		for _, id := range []string{"slept", "new"} {
			Refused(t, id, a.Try(t, record(id, v, "f")), b.Refusal(v, three.Name)...)
		}
	}
	want(t, "with the target", a.Try(t, record("fresh", 2, "f", "g")), nil)
	want(t, "without an envelope", a.Try(t, Record{Collection: three.Name, ID: "bare", Version: 1}), nil)
	left := record("old", 1, "f", "g")
	left.Envelopes["h"] = sealed(2, "another")
	want(t, "beside an old one", a.Try(t, left), nil)
	docs := page(t, s, nil, 10)
	for _, d := range docs {
		took, err := s.Swap(t.Context(), three, []store.Swap{rewrapped(d, 2)})
		want(t, "swap", err, nil)
		same(t, "took", took, []bool{true})
	}
	same(t, "left", len(page(t, s, nil, 10)), 0)
	Refused(t, "what it was", a.Try(t, record("old", 1, "f", "g")))

	want(t, "lift for all but 1", s.Fence(t.Context(), things, []kek.Version{1}), nil)
	same(t, "fenced", fenced(t, s, things), []store.Fenced{{Collection: three.Name, Refused: []kek.Version{1}}})
	want(t, "again", s.Fence(t.Context(), things, []kek.Version{1}), nil)
	want(t, "with 3", a.Try(t, record("three", 3, "f")), nil)
	Refused(t, "with 1", a.Try(t, record("one", 1, "f")))
	want(t, "lift", s.Fence(t.Context(), things, nil), nil)
	same(t, "fenced", fenced(t, s, things), []store.Fenced{{Collection: three.Name}})
	want(t, "back to 1", a.Try(t, record("one", 1, "f")), nil)
}

// testFenceForms: at a place of every form, a refused version is refused wherever in the record it
// stands, and a record that has it already can be written.
func testFenceForms(t *testing.T, b Backend) {
	for _, encoding := range b.Nested {
		for _, c := range shapes(t) {
			t.Run(string(encoding)+", "+c.name, func(t *testing.T) {
				c.place.Bytes = encoding
				cat := envelope.Catalogue{c.place}
				s, a := b.Open(t)
				a.PutTree(t, "shapes", "1", c.record(c.place, 1))
				a.PutTree(t, "shapes", "2", c.record(c.place, 2))
				if !fences(t, s, cat, 1) {
					return
				}
				for _, id := range []string{"2", "3"} { // SQLite: JSON as bytes, and as text
					Refused(t, id, a.TryTree(t, "shapes", id, c.record(c.place, 1)), b.Refusal(1, "shapes")...)
				}
				text := spelled(c.record(c.place, 1), c.place.Parts.KEKVersion).(map[string]any)
				Refused(t, "its version as text", a.TryTree(t, "shapes", "2", text))
				moved := c.record(c.place, 1)
				moved["note"] = "another"
				want(t, "what it has", a.TryTree(t, "shapes", "1", moved), nil)
				want(t, "the target", a.TryTree(t, "shapes", "3", c.record(c.place, 2)), nil)
				want(t, "nothing", a.TryTree(t, "shapes", "4", at(nil)), nil)
				for name := range c.record(c.place, 1) {
					for _, odd := range []any{"no JSON {", int64(7), []any{"x"}, []any{[]any{}}, map[string]any{"x": "y"}} {
						odds := at(map[string]any{name: odd})
						want(t, name+" is odd", a.TryTree(t, "shapes", "5", odds), nil)
					}
				}
				rotateAll(t, s, cat)
				Refused(t, "what it was", a.TryTree(t, "shapes", "1", c.record(c.place, 1)))
			})
		}
	}
}

// spelled is a record whose versions, under a name, are text.
func spelled(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		all := map[string]any{}
		for k, e := range v {
			if n, ok := e.(int64); ok && k == name {
				e = strconv.FormatInt(n, 10)
			}
			all[k] = spelled(e, name)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = spelled(e, name)
		}
		return all
	}
	return v
}
