package tui

import (
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// TestFarewell: what stays on the terminal begins with the lines that a run with nobody
// in the room prints.
func TestFarewell(t *testing.T) {
	end := &engine.Ending{
		Bundle: "/transcripts/b",
		Digest: strings.Repeat("5a", 32),
		Signer: "alice",
		Space:  "final-v1@kekceremony",
	}
	said := (&model{view: engine.View{Ending: end}}).farewell()
	if want := "final digest  " + end.Digest + "\ntranscript    /transcripts/b\n"; !strings.HasPrefix(said, want) {
		t.Errorf("it says\n%s", said)
	}
	if s := (&model{}).farewell(); s != "" {
		t.Errorf("before the end it says %q", s)
	}
}
