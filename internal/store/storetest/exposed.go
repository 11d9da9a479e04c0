package storetest

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// exposed lists the envelopes at version 1, as many as are counted there.
func exposed(t *testing.T, s store.Store, cat envelope.Catalogue) exposure.List {
	t.Helper()
	counts, err := s.Census(t.Context(), cat)
	want(t, "census", err, nil)
	n := 0
	for _, c := range counts {
		if c.Version == 1 {
			n += c.N
		}
	}
	found, err := exposure.Of(t.Context(), s, cat, exposure.Wanted{At: map[kek.Version]bool{1: true}})
	want(t, "list", err, nil)
	if len(found.List) != n || n == 0 {
		t.Errorf("%d envelopes at version 1 are listed, %d are there", len(found.List), n)
	}
	if lacking := exposure.Lacking(cat, found.Places); len(found.Places) == 0 || len(lacking) > 0 {
		t.Errorf("places %q, of which the catalogue lacks %q", found.Places, lacking)
	}
	return found.List
}

// left counts those of a list that are there.
func left(t *testing.T, s store.Store, cat envelope.Catalogue, list exposure.List) int {
	t.Helper()
	n, err := exposure.Left(t.Context(), s, cat, list)
	want(t, "left", err, nil)
	return n
}
