package main_test

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// aBundle is one that verifies.
func aBundle(t *testing.T) string {
	t.Helper()
	bundle, err := filepath.Abs("../../transcripts/good-v2/2026-11-26T053543Z-0002-rotate")
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// TestPlainByItself: people get line mode where the wizard could not draw a page, or nobody could
// read it, and no escape byte; everywhere else the wizard. What people say of a terminal comes before what it
// says of itself: a serial line has a size then, and of a small one the wizard draws all of the size.
func TestPlainByItself(t *testing.T) {
	t.Parallel()
	sized := &pty.Winsize{Rows: 24, Cols: 80}
	for name, c := range map[string]struct {
		set   []string
		size  *pty.Winsize
		flags []string
		plain bool
	}{
		"dumb":       {[]string{"TERM=dumb"}, sized, nil, true},
		"accessible": {[]string{"TERM=xterm-256color", "ACCESSIBLE=1"}, sized, nil, true},
		"serial":     {[]string{"TERM=vt220"}, &pty.Winsize{}, nil, true},
		"terminal":   {[]string{"TERM=xterm-256color"}, sized, nil, false},
		"vt220":      {[]string{"TERM=vt220"}, sized, nil, false},
		"said":       {[]string{"TERM=vt220"}, &pty.Winsize{}, []string{"--size", "100x30", "--ascii"}, false},
		"misreported": {[]string{"TERM=xterm-256color", "LC_ALL=C.UTF-8"}, sized,
			[]string{"--size", "100x30", "--ascii"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := program(t, append(c.flags, "transcript", "replay", aBundle(t))...)
			cmd.Env = append(slices.DeleteFunc(cmd.Environ(), func(v string) bool {
				return strings.HasPrefix(v, "TERM=") || strings.HasPrefix(v, "ACCESSIBLE=")
			}), c.set...)
			tty, err := pty.StartWithSize(cmd, c.size)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); tty.Close() }()
			var said []byte
			want := "REPLAY"
			if c.flags != nil {
				want = "TO ACT" // which stands beside a page of 100 columns
			}
			for part := make([]byte, 4096); !bytes.Contains(said, []byte(want)); {
				n, err := tty.Read(part)
				if said = append(said, part[:n]...); err != nil {
					t.Fatalf("ended: %v\n%s", err, said)
				}
			}
			if plain := bytes.HasPrefix(said, []byte("Line mode.")) && !bytes.ContainsRune(said, 0x1b); plain != c.plain {
				t.Errorf("line mode: %t, want %t:\n%q", plain, c.plain, said)
			}
			if c.flags != nil && bytes.ContainsFunc(said, func(r rune) bool { return r >= 0x80 }) {
				t.Errorf("not ASCII alone:\n%q", said)
			}
		})
	}
}

// TestNoSuchSize: a size that no terminal has is refused before anything is drawn.
func TestNoSuchSize(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"80", "19x24", "80x7", "080x24", "1000x24", "80x24x1", "-80x24"} {
		cmd := program(t, "--size="+size, "transcript", "replay", aBundle(t))
		tty, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(tty) // it ends with an error when the program has
		tty.Close()
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 2 || !bytes.Contains(said, []byte("want COLSxROWS")) {
			t.Errorf("--size %s: %v\n%s", size, err, said)
		}
	}
}
