package storetest

import (
	"fmt"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// notVersions are what an application's fault or an attacker may write for a version.
// An envelope that such a one hid would be lost with the old version.
var notVersions = []any{int64(-1), int64(-5), int64(0), int64(-1 << 63), int64(kek.MaxVersion) + 1, int64(1<<62 + 2),
	2.5, -2.0, 1e300, "two", []byte{2}, nil}

// testNoVersion: whatever stands where a version should, the envelope is counted as one
// of no known version, is in a page, and is swapped when the provider can open it.
func testNoVersion(t *testing.T, b Backend) {
	s, a := with(t, b)
	for i, v := range notVersions {
		inner, outer := fmt.Sprintf("%02d inner", i), fmt.Sprintf("%02d outer", i)
		a.Put(t, record(inner, 2, "f"))
		a.Spoil(t, inner, "f", Version, v)
		a.Put(t, record(outer, 2, "g"))
		a.Spoil(t, outer, "", Version, v)
	}
	n := len(notVersions)
	counts, err := s.Census(t.Context(), things)
	want(t, "census", err, nil)
	same(t, "counts", counts, // a record at another version than its envelope counts at both
		[]store.Count{counted("f", 0, n), counted("f", 2, n), counted("g", 0, n), counted("g", 2, n)})
	docs := page(t, s, nil, 3*n)
	if len(docs) != 2*n {
		t.Fatalf("%d documents in a page, want %d", len(docs), 2*n)
	}
	var swaps []store.Swap
	for _, d := range docs {
		if len(d.Envelopes) != 1 || d.Version*d.Envelopes[0].Version != 0 {
			t.Errorf("document %+v", d)
		}
		swaps = append(swaps, rewrapped(d, 2))
	}
	took, err := s.Swap(t.Context(), three, swaps)
	want(t, "swap", err, nil)
	for i := range took {
		if !took[i] {
			t.Errorf("%v was not swapped", docs[i].ID)
		}
	}
	same(t, "left", len(page(t, s, nil, 1)), 0)
}

// testNoDEK: whatever stands where a wrapped DEK should, the envelope is counted and is
// in a page, for the provider to say that no key opens it.
func testNoDEK(t *testing.T, b Backend) {
	s, a := with(t, b)
	hostile := []any{[]byte{}, "text", int64(7), 7.5}
	for i, v := range hostile {
		a.Put(t, record(fmt.Sprint(i), 1, "f"))
		a.Spoil(t, fmt.Sprint(i), "f", WrappedDEK, v)
	}
	counts, err := s.Census(t.Context(), things)
	want(t, "census", err, nil)
	same(t, "counts", counts, []store.Count{counted("f", 1, len(hostile))})
	docs := page(t, s, nil, 10)
	same(t, "documents", len(docs), len(hostile))
	for _, d := range docs {
		if len(d.Envelopes) != 1 || d.Envelopes[0].Version != 1 {
			t.Errorf("document %+v", d)
		}
	}
}
