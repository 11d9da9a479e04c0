package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// shaped is a place of a form of its own.
func shaped(path string, change func(*envelope.Place)) envelope.Place {
	p := envelope.At("shapes", path)
	p.Outer = ""
	if change != nil {
		change(&p)
	}
	return p
}

func renamed(p *envelope.Place) {
	p.Parts = envelope.Parts{WrappedDEK: "dek", Nonce: "n", Ciphertext: "ct", KEKVersion: "kv", Provider: "by"}
}

func ivApart(p *envelope.Place) {
	renamed(p)
	p.Parts.IV = "dek_iv"
}

// wrappedOf is a wrapped DEK of the right size: 12 bytes of IV, and 48.
func wrappedOf(v kek.Version, text string) []byte {
	return append(fmt.Appendf(nil, "iv of 12 %03d", v), bytes.Repeat([]byte(text[:1]), 48)...)[:60]
}

// written is an envelope as an application writes it at a place.
func written(t *testing.T, p envelope.Place, v kek.Version, text string) map[string]any {
	t.Helper()
	values, err := p.Write(wrappedOf(v, text))
	if err != nil {
		t.Fatal(err)
	}
	e := map[string]any{
		p.Parts.Nonce:      p.Bytes.Encode([]byte("nonce of " + text)),
		p.Parts.Ciphertext: p.Bytes.Encode([]byte("payload of " + text)),
		p.Parts.KEKVersion: int64(v),
		p.Parts.Provider:   "env",
	}
	for i, name := range p.Wrapped() {
		e[name] = values[i]
	}
	return e
}

// at is a record with values at paths without arrays.
func at(values map[string]any) map[string]any {
	record := map[string]any{"note": "the application's own"}
	for path, v := range values {
		names := strings.Split(path, ".")
		in := record
		for _, name := range names[:len(names)-1] {
			next, ok := in[name].(map[string]any)
			if !ok {
				next = map[string]any{"beside": int64(7)}
				in[name] = next
			}
			in = next
		}
		in[names[len(names)-1]] = v
	}
	return record
}

// rotated is a swap to version 2 of everything that a record has.
func rotated(d store.Document) store.Swap {
	sw := store.Swap{Old: d, To: 2}
	for _, h := range d.Envelopes {
		if h.Version != 2 {
			sw.New = append(sw.New, store.Held{Path: h.Path, Version: 2, WrappedDEK: renewedOf(h.WrappedDEK)})
		}
	}
	return sw
}

// renewedOf is another wrapped DEK of the same size.
func renewedOf(wrapped []byte) []byte { return bytes.ToUpper(wrapped) }

// shape is a place of some form, and a record with envelopes there.
type shape struct {
	name   string
	place  envelope.Place
	record func(p envelope.Place, v kek.Version) map[string]any
}

// shapes are all forms of places, with t's help.
func shapes(t *testing.T) []shape {
	return []shape{
		{"nested", shaped("mfa.totp.seed", nil), func(p envelope.Place, v kek.Version) map[string]any {
			return at(map[string]any{p.Path: written(t, p, v, "a")})
		}},
		{"other names", shaped("mfa.totp.seed", renamed), func(p envelope.Place, v kek.Version) map[string]any {
			return at(map[string]any{p.Path: written(t, p, v, "a")})
		}},
		{"IV apart", shaped("mfa.seed", ivApart), func(p envelope.Place, v kek.Version) map[string]any {
			return at(map[string]any{p.Path: written(t, p, v, "a")})
		}},
		{"outer version", shaped("mfa.seed", func(p *envelope.Place) { p.Outer = "kv" }),
			func(p envelope.Place, v kek.Version) map[string]any {
				return at(map[string]any{p.Path: written(t, p, v, "a"), "kv": int64(v)})
			}},
		{"in an array", shaped("vault.tokens[].secret", renamed), func(p envelope.Place, v kek.Version) map[string]any {
			return at(map[string]any{"vault.tokens": []any{
				map[string]any{"name": "no secret"}, "not an object",
				map[string]any{"secret": written(t, p, v, "a")}, map[string]any{"secret": written(t, p, 2, "b")},
			}})
		}},
		{"elements", shaped("seeds[]", ivApart), func(p envelope.Place, v kek.Version) map[string]any {
			return at(map[string]any{"seeds": []any{written(t, p, v, "a"), written(t, p, v, "b"), "x"}})
		}},
		{"arrays in arrays", shaped("a[].b[].c", nil), func(p envelope.Place, v kek.Version) map[string]any {
			return at(map[string]any{"a": []any{
				map[string]any{"b": []any{map[string]any{"c": written(t, p, v, "a")}}},
				map[string]any{"b": []any{}}, map[string]any{},
				map[string]any{"b": []any{map[string]any{"c": written(t, p, 2, "b")}, map[string]any{"c": written(t, p, v, "c")}}},
			}})
		}},
	}
}

// testForms re-wraps every form of place in a record of its own, and beside each other.
func testForms(t *testing.T, b Backend) {
	for _, encoding := range b.Nested {
		for _, c := range shapes(t) {
			t.Run(string(encoding)+", "+c.name, func(t *testing.T) {
				c.place.Bytes = encoding
				cat := envelope.Catalogue{c.place}
				s, a := b.Open(t)
				old := c.record(c.place, 1)
				a.PutTree(t, "shapes", "1", old)
				a.PutTree(t, "shapes", "2", c.record(c.place, 2))
				a.PutTree(t, "shapes", "3", at(nil))
				list := exposed(t, s, cat)
				before := left(t, s, cat, list)
				rotateAll(t, s, cat)
				if n := left(t, s, cat, list); n != before || n < len(list) {
					t.Errorf("after a re-wrap %d of %d exposed envelopes are left, %d before", n, len(list), before)
				}
				same(t, "record", a.GetTree(t, "shapes", "1"), upper(c.place, c.record(c.place, 2), old))
				same(t, "current record", a.GetTree(t, "shapes", "2"), c.record(c.place, 2))
				same(t, "record without", a.GetTree(t, "shapes", "3"), at(nil))
				a.PutTree(t, "shapes", "1", at(nil))
				a.PutTree(t, "shapes", "2", at(nil))
				if n := left(t, s, cat, list); n != 0 {
					t.Errorf("%d exposed envelopes are left, and nothing is there", n)
				}
			})
		}
	}
}

// rotateAll counts, swaps everything to version 2, and counts again.
func rotateAll(t *testing.T, s store.Store, cat envelope.Catalogue) {
	t.Helper()
	before, err := s.Census(t.Context(), cat)
	want(t, "census", err, nil)
	c := cat.Collections()[0]
	n := 0
	var after any
	for {
		docs, err := s.Page(t.Context(), c, 2, after, 1)
		want(t, "page", err, nil)
		if len(docs) == 0 {
			break
		}
		sw := rotated(docs[0])
		n += len(sw.New)
		took, err := s.Swap(t.Context(), c, []store.Swap{sw})
		want(t, "swap", err, nil)
		same(t, "took", took, []bool{true})
		text, err := s.EncodeID(docs[0].ID)
		want(t, "encode id", err, nil)
		after, err = s.DecodeID(text)
		want(t, "decode id", err, nil)
	}
	stale, total := 0, 0
	for _, c := range before {
		if total += c.N; c.Version == 1 {
			stale += c.N
		}
	}
	if stale == 0 || stale != n {
		t.Errorf("%d envelopes at version 1 are counted, %d were swapped", stale, n)
	}
	counts, err := s.Census(t.Context(), cat)
	want(t, "census", err, nil)
	same(t, "after", counts, []store.Count{{Place: cat[0], Version: 2, N: total}})
	strangers, err := s.Strangers(t.Context(), cat)
	want(t, "strangers", err, nil)
	same(t, "strangers", len(strangers), 0)
}

// upper is a record at version 2 with the wrapped DEKs that renewedOf made of the old one's.
func upper(p envelope.Place, now, old any) any {
	switch n := now.(type) {
	case map[string]any:
		o := old.(map[string]any)
		out := map[string]any{}
		for name, v := range n {
			out[name] = upper(p, v, o[name])
		}
		if o[p.Parts.KEKVersion] == int64(1) && o[p.Parts.WrappedDEK] != nil {
			var values []any
			for _, name := range p.Wrapped() {
				values = append(values, o[name])
			}
			wrapped, _ := p.Read(values)
			values, _ = p.Write(renewedOf(wrapped))
			for i, name := range p.Wrapped() {
				out[name] = values[i]
			}
		}
		return out
	case []any:
		out := make([]any, len(n))
		for i := range n {
			out[i] = upper(p, n[i], old.([]any)[i])
		}
		return out
	}
	return now
}

// testArrays changes an array between reading and writing: an element that moved is a conflict,
// and so is an array that grew.
func testArrays(t *testing.T, b Backend) {
	p := shaped("tokens[].secret", nil)
	p.Bytes = b.Nested[0]
	cat := envelope.Catalogue{p}
	token := func(text string) any { return map[string]any{"secret": written(t, p, 1, text)} }
	for _, c := range []struct {
		name  string
		after []any
	}{
		{"the first was removed", []any{token("b"), token("c")}},
		{"one was put before", []any{token("x"), token("a"), token("b"), token("c")}},
		{"one was added", []any{token("a"), token("b"), token("c"), token("d")}},
		{"two changed places", []any{token("b"), token("a"), token("c")}},
		{"one was sealed again", []any{token("a"), token("z"), token("c")}},
		{"one has no secret any more", []any{token("a"), map[string]any{}, token("c")}},
		{"all are gone", []any{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a := b.Open(t)
			a.PutTree(t, "shapes", "1", at(map[string]any{"tokens": []any{token("a"), token("b"), token("c")}}))
			docs, err := s.Page(t.Context(), cat.Collections()[0], 2, nil, 10)
			want(t, "page", err, nil)
			if len(docs) != 1 || len(docs[0].Envelopes) != 3 {
				t.Fatalf("documents %+v", docs)
			}
			now := at(map[string]any{"tokens": c.after})
			a.PutTree(t, "shapes", "1", now)
			took, err := s.Swap(t.Context(), cat.Collections()[0], []store.Swap{rotated(docs[0])})
			want(t, "swap", err, nil)
			same(t, "took", took, []bool{false})
			same(t, "record", a.GetTree(t, "shapes", "1"), now)
		})
	}
}

// testOtherForm: an envelope of another form at a place of the catalogue, or a record that is one
// itself, is not known.
func testOtherForm(t *testing.T, b Backend) {
	s, a := b.Open(t)
	known := shaped("mfa.seed", renamed)
	known.Bytes = b.Nested[0]
	standard := shaped("x", nil)
	standard.Bytes = b.Nested[0]
	a.PutTree(t, "shapes", "1", at(map[string]any{"mfa.seed": written(t, known, 1, "a")}))
	unlike := written(t, standard, 1, "b")
	unlike[known.Parts.KEKVersion] = int64(2) // something else of that name
	a.PutTree(t, "shapes", "2", at(map[string]any{"mfa.seed": unlike}))
	a.PutTree(t, "keys", "1", written(t, standard, 1, "c"))
	got, err := s.Strangers(t.Context(), envelope.Catalogue{known})
	want(t, "strangers", err, nil)
	same(t, "strangers", got, []envelope.Place{envelope.At("keys", ""), envelope.At("shapes", "mfa.seed")})
}

// testAbsence: where a place has an array of something else, an envelope that is written there
// after the record was read is a conflict.
func testAbsence(t *testing.T, b Backend) {
	s, a := b.Open(t)
	here, there := shaped("m.here", nil), shaped("m.there.key", nil)
	here.Bytes, there.Bytes = b.Nested[0], b.Nested[0]
	c := envelope.Catalogue{here, there}.Collections()[0]
	record := map[string]any{"m.here": written(t, here, 1, "a"), "m.there": []any{"x"}}
	a.PutTree(t, "shapes", "1", at(record))
	docs, err := s.Page(t.Context(), c, 2, nil, 10)
	want(t, "page", err, nil)
	if len(docs) != 1 || len(docs[0].Envelopes) != 1 {
		t.Fatalf("documents %+v", docs)
	}
	record["m.there"] = map[string]any{"key": written(t, there, 1, "b")}
	a.PutTree(t, "shapes", "1", at(record))
	took, err := s.Swap(t.Context(), c, []store.Swap{rotated(docs[0])})
	want(t, "swap", err, nil)
	same(t, "took", took, []bool{false})
}

// testStrangeForms: what is in an array, nested, or of a form that the catalogue knows elsewhere is
// named with the path that its entry would have.
func testStrangeForms(t *testing.T, b Backend) {
	s, a := b.Open(t)
	known := shaped("known.seed", renamed)
	known.Bytes = b.Nested[0]
	standard := shaped("x", nil)
	standard.Bytes = b.Nested[0]
	a.PutTree(t, "shapes", "1", at(map[string]any{
		"known.seed": written(t, known, 1, "a"),
		"list":       []any{map[string]any{"key": written(t, standard, 1, "b")}},
		"deep.down":  map[string]any{"key": written(t, standard, 1, "c")},
		"also.there": written(t, known, 1, "d"),
	}))
	got, err := s.Strangers(t.Context(), envelope.Catalogue{known})
	want(t, "strangers", err, nil)
	same(t, "strangers", got, []envelope.Place{envelope.At("shapes", "also.there"), envelope.At("shapes", "deep.down.key"),
		envelope.At("shapes", "list[].key")})

	// A place whose array is none, or the other way round, is not the catalogue's.
	// The census counts it at no version, and so it is due at any.
	wrong := envelope.Catalogue{shaped("list.key", func(p *envelope.Place) { p.Bytes = b.Nested[0] })}
	counts, err := s.Census(t.Context(), wrong)
	want(t, "census", err, nil)
	same(t, "counts", counts, []store.Count{{Place: wrong[0], N: 1}})
	for _, to := range []kek.Version{1, 2} {
		docs, err := s.Page(t.Context(), wrong.Collections()[0], to, nil, 10)
		want(t, "page", err, nil)
		if len(docs) != 1 || len(docs[0].Envelopes) != 1 || docs[0].Envelopes[0].Version != 0 {
			t.Errorf("documents to %d: %+v", to, docs)
		}
	}
}
