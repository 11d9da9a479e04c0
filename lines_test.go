package kekceremony_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// longest is how many characters a line of Go may have, tests included. A tab counts as one.
const longest = 120

// TestLines names each line of Go that is longer.
func TestLines(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || filepath.Ext(path) != ".go" {
			return nil
		}
		seen++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, long := range tooLong(text) {
			t.Errorf("%s:%d: %d characters, more than %d", path, i, long, longest)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 200 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func TestLinesRefuse(t *testing.T) {
	line := "\t" + strings.Repeat("é", longest-1)
	if got := tooLong([]byte(line + "\n" + line + "\r\n")); len(got) != 0 {
		t.Errorf("a line of %d characters: %v", longest, got)
	}
	if got := tooLong([]byte("a\n" + line + "é\n")); len(got) != 1 || got[2] != longest+1 {
		t.Errorf("a line of %d characters: %v, want line 2", longest+1, got)
	}
	if got := tooLong([]byte(line + "é")); got[1] != longest+1 {
		t.Errorf("a last line without a line feed: %v", got)
	}
}

// tooLong gives the lines that are too long, by their numbers, with their lengths.
func tooLong(text []byte) map[int]int {
	long := map[int]int{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if n := utf8.RuneCount(bytes.TrimRight(line, "\r\n")); n > longest {
			long[number] = n
		}
	}
	return long
}
