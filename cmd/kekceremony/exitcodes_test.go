package main_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestExitCodes compares the list in the code with the one in the docs.
func TestExitCodes(t *testing.T) {
	list := func(path, pattern string) []string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
			all = append(all, m[1]+" "+m[2])
		}
		return all
	}
	code := list("errors.go", `(?m)^\texit\w+ += (\d+) +// (.+)$`)
	docs := list("../../docs/exit-codes.md", `(?m)^\| (\d+) \| (.+) \|$`)
	if len(code) != 8 || !slices.Equal(code, docs) {
		t.Errorf("code %q\ndocs %q", code, docs)
	}
}
