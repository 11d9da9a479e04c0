package main

import (
	"path/filepath"
	"testing"
)

// TestLoop: the raw loop, which only make bench runs, is still one for this package's header.
func TestLoop(t *testing.T) {
	t.Chdir("../..")
	if err := shell(t.Context(), "gcc -Wall -Werror -O2 -o "+filepath.Join(t.TempDir(), "loop")+" "+loop); err != nil {
		t.Error(err)
	}
}
