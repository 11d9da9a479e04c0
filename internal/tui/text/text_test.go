package text

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestCommandIsCopied: a shell gets the same words at any width, and no line is wider
// than the screen unless one word is.
func TestCommandIsCopied(t *testing.T) {
	const command = "printf %s-- ssh-keygen -Y sign -n approve-v1@kekceremony -f 'a KEY' 0037-approve.bob.txt"
	want, err := exec.Command("sh", "-c", command).Output()
	if err != nil {
		t.Fatal(err)
	}
	for width := 32; width <= len(command)+1; width++ {
		lines := Command(command, width)
		for _, line := range lines {
			if len(line) > width {
				t.Errorf("at %d: a line of %d: %q", width, len(line), line)
			}
		}
		if one := width >= len(command); one != (len(lines) == 1) {
			t.Errorf("at %d: %d lines", width, len(lines))
		}
		got, err := exec.Command("sh", "-c", strings.Join(lines, "\n      ")).Output()
		if err != nil || string(got) != string(want) {
			t.Errorf("at %d: %s, %v", width, got, err)
		}
	}
}

// TestInterruptedIsNotRefused: a PIN's prompt that somebody left with ctrl+c was refused by nobody.
func TestInterruptedIsNotRefused(t *testing.T) {
	for want, err := range map[string]error{
		"Not done": fmt.Errorf("ask for the PIN of token kek: %w", engine.ErrTyped),
		"Refused":  errors.New("CKR_PIN_INCORRECT"),
	} {
		if got := Failed(engine.Failure{Err: err}); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}

// TestGroups: a digest has the same groups on a page, in line mode and in a document, so that people can compare
// them by ear.
func TestGroups(t *testing.T) {
	const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	const want = "0123 4567 89ab cdef 0123 4567 89ab cdef 0123 4567 89ab cdef 0123 4567 89ab cdef"
	for _, width := range []int{40, 80} {
		if got := strings.Join(Groups(digest, width), " "); got != want {
			t.Errorf("at %d columns a page has %q", width, got)
		}
	}
	if got := transcript.Said("roster", digest); got != want {
		t.Errorf("a document has %q", got)
	}
}
