package tui

import (
	"os"
	"testing"
	"time"
)

// TestPasteWithoutEnd: what is typed after a paste whose end was lost ends it, after a rest. A paste that goes on is
// none of these, and one that ended is left as it is.
func TestPasteWithoutEnd(t *testing.T) {
	const key = "\x03"
	for _, c := range []struct {
		rest        time.Duration
		pasted, got string
	}{
		{0, "\x1b[200~a path", pasteEnds + key},
		{time.Hour, "\x1b[200~a path", key},
		{0, "\x1b[200~a path\x1b[201~", key},
		{0, "no paste", key},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		k, into := &keyboard{File: r, rest: c.rest}, make([]byte, 256)
		read := func(keys string) string {
			t.Helper()
			if _, err := w.WriteString(keys); err != nil {
				t.Fatal(err)
			}
			n, err := k.Read(into)
			if err != nil {
				t.Fatal(err)
			}
			return string(into[:n])
		}
		if got := read(c.pasted); got != c.pasted {
			t.Errorf("%q: read %q", c.pasted, got)
		}
		if got := read(key); got != c.got {
			t.Errorf("after %q, rest %s: read %q, want %q", c.pasted, c.rest, got, c.got)
		}
		if got := read(key); c.rest == 0 && got != key {
			t.Errorf("after that: read %q", got)
		}
	}
}
