package tui

import (
	"errors"
	"os"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/term"
)

// TestTypedWhileLent: what was typed while somebody else had the terminal, and was not
// read there, is no answer to the page that comes next.
func TestTypedWhileLent(t *testing.T) {
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	defer tty.Close()
	terminal, err := term.Of(tty, tty)
	if err != nil {
		t.Fatal(err)
	}
	l := lent{terminal: terminal, use: func(*term.Terminal) error {
		_, err := keyboard.WriteString("246810\n")
		if !waiting(t, tty, 5000) {
			t.Error("the keys never came")
		}
		return err
	}}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if waiting(t, tty, 0) {
		t.Error("the keys are still there to be read")
	}
}

// waiting reports whether a line is there to be read within so many milliseconds.
func waiting(t *testing.T, tty *os.File, patience int) bool {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(tty.Fd()), Events: unix.POLLIN}}, patience)
		if err == nil {
			return n > 0
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
}
