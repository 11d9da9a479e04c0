package text

import (
	"os/exec"
	"strings"
	"testing"
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
