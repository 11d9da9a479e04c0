package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

var (
	things = envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "g"), envelope.At("things", "h")}
	three  = things.Collections()[0]
	fields = []string{"f", "g", "h"}
)

// sealed is an envelope whose bytes tell where they belong.
func sealed(v kek.Version, text string) envelope.Envelope {
	return envelope.Envelope{WrappedDEK: fmt.Appendf(nil, "wrapped %s %d", text, v), Nonce: []byte("nonce " + text),
		Ciphertext: []byte("payload " + text), KEKVersion: v, Provider: "env"}
}

func record(id any, v kek.Version, fields ...string) Record {
	r := Record{Collection: three.Name, ID: id, Version: v, Envelopes: map[string]envelope.Envelope{}}
	for _, f := range fields {
		r.Envelopes[f] = sealed(v, fmt.Sprint(id, f))
	}
	return r
}

func with(t *testing.T, b Backend, records ...Record) (store.Store, Application) {
	t.Helper()
	s, a := b.Open(t)
	a.Create(t, three)
	for _, r := range records {
		a.Put(t, r)
	}
	return s, a
}

// rewrapped is a swap of everything stale in d to version to.
func rewrapped(d store.Document, to kek.Version) store.Swap {
	sw := store.Swap{Old: d, To: to}
	for _, h := range d.Envelopes {
		if h.Version != to {
			sw.New = append(sw.New, store.Held{Path: h.Path, Version: to, WrappedDEK: append([]byte("new "), h.WrappedDEK...)})
		}
	}
	return sw
}

// testAbsent: an application that reads a record which is not there can tell.
func testAbsent(t *testing.T, b Backend) {
	s, _ := with(t, b)
	own := s.(interface {
		Get(context.Context, envelope.Place, string) (envelope.Envelope, error)
	})
	if _, err := own.Get(t.Context(), things[0], "nowhere"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func page(t *testing.T, s store.Store, after any, limit int) []store.Document {
	t.Helper()
	docs, err := s.Page(t.Context(), three, 2, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func counted(field string, v kek.Version, n int) store.Count {
	return store.Count{Place: envelope.At(three.Name, field), Version: v, N: n}
}

func testCensus(t *testing.T, b Backend) {
	mixed := record(b.IDs[2], 1, "f", "g")
	mixed.Envelopes["g"] = sealed(2, "already")
	s, _ := with(t, b, record(b.IDs[0], 1, "f"), record(b.IDs[1], 2, "f", "h"), mixed)
	got, err := s.Census(t.Context(), things)
	want(t, "census", err, nil)
	// g of mixed is at 2, its record says 1: it counts at both.
	same(t, "counts", got,
		[]store.Count{counted("f", 1, 2), counted("f", 2, 1), counted("g", 1, 1), counted("g", 2, 1), counted("h", 2, 1)})
	none, err := s.Census(t.Context(), envelope.Catalogue{envelope.At("nowhere", "f")})
	want(t, "census of nothing", err, nil)
	same(t, "nothing", len(none), 0)
}

// testPages reads records whose ids are of every type, two at a time: each once.
func testPages(t *testing.T, b Backend) {
	var records []Record
	for _, id := range b.IDs {
		records = append(records, record(id, 1, "f"))
	}
	s, a := with(t, b, records...)
	a.Put(t, record("at the target", 2, "f"))
	differs := record("outer differs", 1, "f")
	differs.Envelopes["f"] = sealed(2, "inner")
	a.Put(t, differs)
	a.Put(t, Record{Collection: three.Name, ID: "no envelope", Version: 1})
	seen := map[string]int{}
	var after any
	for {
		docs := page(t, s, after, 2)
		if len(docs) == 0 {
			break
		}
		for _, d := range docs {
			seen[fmt.Sprint(d.ID)]++
			if len(d.Envelopes) != 1 || d.Envelopes[0].Path != "f" || d.Version != 1 {
				t.Errorf("document %+v", d)
			}
		}
		// A later run has the id only as text.
		text, err := s.EncodeID(docs[len(docs)-1].ID)
		want(t, "encode an id", err, nil)
		after, err = s.DecodeID(text)
		want(t, "decode "+text, err, nil)
		if len(seen) > len(b.IDs)+1 {
			break
		}
	}
	if len(seen) != len(b.IDs)+1 || seen["outer differs"] != 1 {
		t.Errorf("%d ids of %d: %v", len(seen), len(b.IDs)+1, seen)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was seen %d times", id, n)
		}
	}
}

// testSwap changes records between reading and writing: only those that still
// are what was read are written, and only what is to change (promise 3).
func testSwap(t *testing.T, b Backend) {
	s, a := with(t, b, record("1 stays", 1, "f"), record("2 sealed again", 1, "f"), record("3 outer moved", 1, "f"),
		record("4 another field", 1, "f"), record("5 inner moved", 1, "f"), record("6 is gone", 1, "f"))
	docs := page(t, s, nil, 6)
	if len(docs) != 6 {
		t.Fatalf("%d documents", len(docs))
	}
	again := record("2 sealed again", 1, "f") // the same version tag, a new DEK
	again.Envelopes["f"] = sealed(1, "again")
	outer := record("3 outer moved", 1, "f")
	outer.Version = 2
	inner := record("5 inner moved", 1, "f")
	e := inner.Envelopes["f"]
	e.KEKVersion = 2
	inner.Envelopes["f"] = e
	changed := []Record{again, outer, record("4 another field", 1, "f", "h"), inner, record("6 is gone", 1)}
	for _, r := range changed {
		a.Put(t, r)
	}
	var swaps []store.Swap
	for _, d := range docs {
		swaps = append(swaps, rewrapped(d, 2))
	}
	took, err := s.Swap(t.Context(), three, swaps)
	want(t, "swap", err, nil)
	same(t, "took", took, []bool{true, false, false, false, false, false})
	for _, r := range changed {
		got := a.Get(t, three.Name, r.ID, fields...)
		same(t, fmt.Sprint(r.ID), got.Envelopes, r.Envelopes)
		same(t, fmt.Sprint(r.ID), got.Version, r.Version)
	}
	first := a.Get(t, three.Name, "1 stays", fields...)
	old := record("1 stays", 1, "f").Envelopes["f"]
	old.WrappedDEK, old.KEKVersion = append([]byte("new "), old.WrappedDEK...), 2
	same(t, "written", first.Envelopes, map[string]envelope.Envelope{"f": old})
	same(t, "written", first.Version, kek.Version(2))

	_, err = s.Swap(t.Context(), three, swaps[:1])
	want(t, "swap again", err, nil)
	same(t, "written twice", a.Get(t, three.Name, "1 stays", fields...).Envelopes, first.Envelopes)
	none, err := s.Swap(t.Context(), three, nil)
	want(t, "swap of nothing", err, nil)
	same(t, "nothing", len(none), 0)
}

// testManySwaps: a page of many is swapped at once.
func testManySwaps(t *testing.T, b Backend) {
	const n = 120
	var records []Record
	for i := range n {
		records = append(records, record(fmt.Sprintf("%03d", i), 1, "f"))
	}
	s, _ := with(t, b, records...)
	var swaps []store.Swap
	for _, d := range page(t, s, nil, n) {
		swaps = append(swaps, rewrapped(d, 2))
	}
	took, err := s.Swap(t.Context(), three, swaps)
	want(t, "swap", err, nil)
	same(t, "took", took, slices.Repeat([]bool{true}, n))
	same(t, "left", len(page(t, s, nil, 10)), 0)
}

// testThree: one of three envelopes is at the target already and is not touched.
func testThree(t *testing.T, b Backend) {
	r := record("three", 1, "f", "g", "h")
	r.Envelopes["g"] = sealed(2, "already")
	s, a := with(t, b, r)
	docs := page(t, s, nil, 10)
	if len(docs) != 1 || len(docs[0].Envelopes) != 3 {
		t.Fatalf("documents %+v", docs)
	}
	took, err := s.Swap(t.Context(), three, []store.Swap{rewrapped(docs[0], 2)})
	want(t, "swap", err, nil)
	same(t, "took", took, []bool{true})
	got := a.Get(t, three.Name, "three", fields...)
	same(t, "untouched", got.Envelopes["g"], r.Envelopes["g"])
	for _, f := range []string{"f", "h"} {
		if e := got.Envelopes[f]; e.KEKVersion != 2 || !bytes.HasPrefix(e.WrappedDEK, []byte("new wrapped")) ||
			!bytes.Equal(e.Nonce, r.Envelopes[f].Nonce) {
			t.Errorf("%s: %+v", f, e)
		}
	}
	same(t, "left", len(page(t, s, nil, 10)), 0)
}

func testStrangers(t *testing.T, b Backend) {
	s, a := with(t, b, record("known", 1, "f"), record("a field of its own", 1, "g"))
	a.Create(t, envelope.Catalogue{envelope.At("others", "x")}.Collections()[0])
	known := envelope.Catalogue{envelope.At(three.Name, "f")}
	got, err := s.Strangers(t.Context(), known)
	want(t, "strangers", err, nil)
	same(t, "strangers", got, []envelope.Place{envelope.At(three.Name, "g")})
	a.Put(t, Record{
		Collection: "others",
		ID:         "o",
		Version:    1,
		Envelopes:  map[string]envelope.Envelope{"x": sealed(1, "o")},
	})
	got, err = s.Strangers(t.Context(), known)
	want(t, "strangers", err, nil)
	same(t, "strangers", got, []envelope.Place{envelope.At("others", "x"), envelope.At(three.Name, "g")})
}

// testOdd: a field of the catalogue that holds something else is no envelope,
// is not counted, and is never written.
func testOdd(t *testing.T, b Backend) {
	r := record("odd", 1, "f")
	r.Odd = []string{"g"}
	s, a := with(t, b, r, Record{Collection: three.Name, ID: "only odd", Version: 1, Odd: []string{"f"}})
	counts, err := s.Census(t.Context(), things)
	want(t, "census", err, nil)
	same(t, "counts", counts, []store.Count{counted("f", 1, 1)})
	docs := page(t, s, nil, 10)
	if len(docs) != 1 || len(docs[0].Envelopes) != 1 {
		t.Fatalf("documents %+v", docs)
	}
	took, err := s.Swap(t.Context(), three, []store.Swap{rewrapped(docs[0], 2)})
	want(t, "swap", err, nil)
	same(t, "took", took, []bool{true})
	got := a.Get(t, three.Name, "odd", fields...)
	if got.Envelopes["f"].KEKVersion != 2 || !slices.Equal(got.Odd, []string{"g"}) {
		t.Errorf("got %+v", got)
	}
}
