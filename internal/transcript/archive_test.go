package transcript_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestFree: an install that begins in the second in which another was given up gets a name of its own, which
// is not taken for that of the other, nor stands in its way.
func TestFree(t *testing.T) {
	t.Parallel()
	dir, at := t.TempDir(), time.Date(2026, 11, 26, 21, 12, 59, 0, time.UTC)
	first := transcript.Free(dir, at, 1, "install")
	if filepath.Base(first) != "2026-11-26T211259Z-0001-install" {
		t.Fatal(first)
	}
	if err := os.Mkdir(transcript.VoidName(first), 0o700); err != nil {
		t.Fatal(err)
	}
	if !transcript.Gone(first) {
		t.Error("it has the name of a void one, and is not gone")
	}
	second := transcript.Free(dir, at, 1, "install")
	if filepath.Base(second) != "2026-11-26T211300Z-0001-install" || transcript.Gone(second) {
		t.Errorf("%s, gone: %t", second, transcript.Gone(second))
	}
	if err := os.Mkdir(first, 0o700); err != nil {
		t.Fatal(err)
	}
	if transcript.Gone(first) {
		t.Error("a bundle that is there is taken for gone, beside a void one")
	}
}
