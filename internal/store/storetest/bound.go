package storetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// testBound reads what an envelope is bound to: the id as the application has it, with its type. The
// payload is read where that is asked, and not else.
func testBound(t *testing.T, b Backend) {
	var records []Record
	for _, id := range b.IDs {
		records = append(records, record(id, 1, "f"))
	}
	s, _ := with(t, b, records...)
	payloads := three
	payloads.Payloads = true
	for _, c := range []envelope.Collection{three, payloads} {
		docs, err := s.Page(t.Context(), c, 2, nil, 100)
		want(t, "page", err, nil)
		seen := map[binding.ID]bool{}
		for _, d := range docs {
			seen[d.Bound] = true
			h := d.Envelopes[0]
			if c.Payloads != bytes.HasPrefix(h.Nonce, []byte("nonce ")) ||
				c.Payloads != bytes.HasPrefix(h.Ciphertext, []byte("payload ")) {
				t.Errorf("payloads %v: %q %q", c.Payloads, h.Nonce, h.Ciphertext)
			}
		}
		for _, id := range b.IDs {
			if bound, err := binding.IDOf(id); err == nil && !seen[bound] {
				t.Errorf("no record is bound to %T %v", id, id)
			}
		}
	}
}

// testKeys reads the keys of elements, none where it is missing or another element has it too, and
// loses a swap to whoever changed one.
func testKeys(t *testing.T, b Backend) {
	p := shaped("tokens[].secret", func(p *envelope.Place) { p.Key = "id" })
	p.Bytes = b.Nested[0]
	c := envelope.Catalogue{p}.Collections()[0]
	c.Payloads = true
	token := func(text string, id any) any {
		e := map[string]any{"secret": written(t, p, 1, text)}
		if id != nil {
			e["id"] = id
		}
		return e
	}
	s, a := b.Open(t)
	tokens := []any{token("a", "phone"), token("b", int64(7)), token("c", nil), token("d", "twin"), token("e", "twin"),
		token("f", map[string]any{})}
	a.PutTree(t, "shapes", "1", at(map[string]any{"tokens": tokens}))
	read := func() store.Document {
		t.Helper()
		docs, err := s.Page(t.Context(), c, 2, nil, 10)
		want(t, "page", err, nil)
		if len(docs) != 1 || len(docs[0].Envelopes) != len(tokens) {
			t.Fatalf("documents %+v", docs)
		}
		return docs[0]
	}
	before := read()
	for i, key := range []any{"phone", 7, nil, nil, nil, nil} {
		id, _ := binding.IDOf(key)
		h := before.Envelopes[i]
		if len(h.Keys) != 1 || h.Keys[0].ID != id || h.Keys[0].Path != fmt.Sprintf("tokens[%d].id", i) {
			t.Errorf("element %d has keys %+v", i, h.Keys)
		}
		if text := string(rune('a' + i)); string(h.Nonce) != "nonce of "+text || string(h.Ciphertext) != "payload of "+text {
			t.Errorf("element %d has payload %q %q", i, h.Nonce, h.Ciphertext)
		}
	}
	tokens[0].(map[string]any)["id"] = "tablet"
	now := at(map[string]any{"tokens": tokens})
	a.PutTree(t, "shapes", "1", now)
	took, err := s.Swap(t.Context(), c, []store.Swap{rotated(before)})
	want(t, "swap", err, nil)
	same(t, "took", took, []bool{false})
	same(t, "record", a.GetTree(t, "shapes", "1"), now)
	took, err = s.Swap(t.Context(), c, []store.Swap{rotated(read())})
	want(t, "swap", err, nil)
	same(t, "took", took, []bool{true})
}
