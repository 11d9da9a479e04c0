package pgpwords

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// TestPublished: the two fingerprints that the list was published with, from "PGP word list".
func TestPublished(t *testing.T) {
	for digest, want := range map[string]string{
		"e58294f2e9a227486e8b061b31cc528fd7fa3f19": "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator " +
			"goldfish Medusa afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless",
		"d1d464c004f00fb5c9a4c8d8e433e7fb7ff56256": "stairway souvenir flytrap recipe adrift upcoming artist positive " +
			"spearhead Pandora spaniel stupendous tonic concurrent transit Wichita lockup visitor flagpole escapade",
	} {
		bytes, err := hex.DecodeString(digest)
		if got := strings.Join(Of(bytes), " "); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", digest, got, want, err)
		}
	}
}

// TestList: 512 different words, each list in alphabetical order but for applicant and Apollo, as
// published.
func TestList(t *testing.T) {
	seen := map[string]bool{}
	for _, list := range [][]string{even, odd} {
		lower := make([]string, len(list))
		for i, word := range list {
			lower[i] = strings.ToLower(word)
			seen[lower[i]] = true
		}
		if i := slices.Index(lower, "applicant"); i >= 0 {
			lower[i], lower[i+1] = lower[i+1], lower[i]
		}
		if len(list) != 256 || !slices.IsSorted(lower) {
			t.Errorf("%d words, in order: %v", len(list), slices.IsSorted(lower))
		}
	}
	if len(seen) != 512 {
		t.Errorf("%d different words", len(seen))
	}
}
