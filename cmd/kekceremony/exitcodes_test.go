package main_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
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
	said := list("guide.go", `(?m)^\texit(\w+): +"(.+)",$`)
	if len(code) != 8 || !slices.Equal(code, docs) || len(said) != 8 {
		t.Errorf("code %q\ndocs %q\nhelp %q", code, docs, said)
	}
	for _, line := range said {
		_, meaning, _ := strings.Cut(line, " ")
		if !slices.ContainsFunc(docs, func(d string) bool { return strings.HasSuffix(d, " "+meaning) }) {
			t.Errorf("--help says %q, and docs/exit-codes.md does not", meaning)
		}
	}
}
