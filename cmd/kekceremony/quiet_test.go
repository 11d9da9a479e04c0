package main_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// onPTY runs a program on a bare terminal that answers nothing, and returns
// every byte it wrote.
func onPTY(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CI=") && !strings.HasPrefix(v, "TERM=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	out, err := io.ReadAll(tty)
	var gone *fs.PathError
	if err != nil && !(errors.As(err, &gone) && errors.Is(gone.Err, syscall.EIO)) {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVersionIsQuiet: bubbletea's package init would ask the terminal for its
// background in every process that links it. The control program shows that the
// check would see it.
func TestVersionIsQuiet(t *testing.T) {
	t.Parallel()
	out := onPTY(t, binary, "version")
	if !bytes.HasPrefix(out, []byte("kekceremony ")) || bytes.ContainsRune(out, 0x1b) {
		t.Errorf("version wrote %q", out)
	}
	control := filepath.Join(t.TempDir(), "control")
	if text, err := exec.Command("go", "build", "-o", control, "./testdata/control").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if out := onPTY(t, control); !bytes.ContainsRune(out, 0x1b) {
		t.Errorf("the control program wrote no escape byte: %q", out)
	}
}
