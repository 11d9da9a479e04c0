package main_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// graphics are the sequences for colors and for bold (SGR); colors those for colors alone.
var (
	graphics    = regexp.MustCompile(`\x1b\[[0-9;:]*m`)
	colors      = regexp.MustCompile(`\x1b\[([0-9;:]*;)?(3[0-9]|4[0-9]|9[0-7]|10[0-7])[0-9;:]*m`)
	otherScreen = []byte("\x1b[?1049h")
)

// TestWritten: what the wizard writes fits the kind of terminal: colors where it has them and nobody asked for none,
// an alternate screen where it knows one.
func TestWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		env                []string
		colors, full, bold bool
	}{
		{"xterm", []string{"TERM=xterm-256color"}, true, true, true},
		{"no color", []string{"TERM=xterm-256color", "NO_COLOR=1"}, false, true, false},
		{"linux", []string{"TERM=linux"}, true, false, true},
		{"vt220", []string{"TERM=vt220"}, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := program(t, "transcript", "replay", aBundle(t))
			cmd.Env = append(slices.DeleteFunc(cmd.Environ(), func(v string) bool {
				name, _, _ := strings.Cut(v, "=")
				return slices.Contains([]string{"TERM", "ACCESSIBLE", "NO_COLOR", "COLORTERM", "CLICOLOR", "CLICOLOR_FORCE",
					"CI"}, name)
			}), c.env...)
			tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 30, Cols: 100})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); tty.Close() }()
			var said []byte
			for part := make([]byte, 4096); !bytes.Contains(said, []byte(" 0 min")); { // the last of a page
				n, err := tty.Read(part)
				if said = append(said, part[:n]...); err != nil {
					t.Fatalf("ended: %v\n%s", err, said)
				}
			}
			if got := colors.Match(said); got != c.colors {
				t.Errorf("colors: %t\n%q", got, said)
			}
			if got := graphics.Match(said); got != c.bold {
				t.Errorf("SGR: %t\n%q", got, graphics.FindAll(said, -1))
			}
			if got := bytes.Contains(said, otherScreen); got != c.full {
				t.Errorf("alternate screen: %t", got)
			}
		})
	}
}
