package mongo

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestOptionsInDocs: the documentation lists the options that a URI may have, and the values of some.
func TestOptionsInDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/mongodb.md")
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Concat(slices.Collect(maps.Values(values))...)
	for _, name := range slices.Concat(uriOptions, ownOptions, insecureOptions, mechanisms, numbers, known) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/mongodb.md has no `%s`", name)
		}
	}
}
