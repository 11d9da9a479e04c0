package mongo

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestOptionsInDocs: the documentation lists the options that a URI may have.
func TestOptionsInDocs(t *testing.T) {
	text, err := os.ReadFile("../../../docs/mongodb.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(uriOptions, ownOptions, insecureOptions) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/mongodb.md has no `%s`", name)
		}
	}
}
