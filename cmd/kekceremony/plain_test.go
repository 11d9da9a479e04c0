package main_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestPlainByItself: people get line mode where the wizard could not draw a page, or nobody could
// read it, and no escape byte; everywhere else the wizard.
func TestPlainByItself(t *testing.T) {
	t.Parallel()
	bundle, err := filepath.Abs("../../transcripts/good-v2/2026-11-26T053543Z-0002-rotate")
	if err != nil {
		t.Fatal(err)
	}
	sized := &pty.Winsize{Rows: 24, Cols: 80}
	for name, c := range map[string]struct {
		set   []string
		size  *pty.Winsize
		plain bool
	}{
		"dumb":       {[]string{"TERM=dumb"}, sized, true},
		"accessible": {[]string{"TERM=xterm-256color", "ACCESSIBLE=1"}, sized, true},
		"serial":     {[]string{"TERM=vt220"}, &pty.Winsize{}, true},
		"terminal":   {[]string{"TERM=xterm-256color"}, sized, false},
		"vt220":      {[]string{"TERM=vt220"}, sized, false},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := program(t, "transcript", "replay", bundle)
			cmd.Env = append(slices.DeleteFunc(cmd.Environ(), func(v string) bool {
				return strings.HasPrefix(v, "TERM=") || strings.HasPrefix(v, "ACCESSIBLE=")
			}), c.set...)
			tty, err := pty.StartWithSize(cmd, c.size)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); tty.Close() }()
			var said []byte
			for part := make([]byte, 4096); !bytes.Contains(said, []byte("REPLAY")); {
				n, err := tty.Read(part)
				if said = append(said, part[:n]...); err != nil {
					t.Fatalf("ended: %v\n%s", err, said)
				}
			}
			if plain := bytes.HasPrefix(said, []byte("Line mode.")) && !bytes.ContainsRune(said, 0x1b); plain != c.plain {
				t.Errorf("line mode: %t, want %t:\n%q", plain, c.plain, said)
			}
		})
	}
}
