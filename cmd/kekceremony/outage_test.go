package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// started starts a rotation to version 2 and waits until it re-wraps.
func started(t *testing.T, parts rehearsal.Parts) (end func() (code int, said string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, rotateTo(parts, 2, "--rate", "20")...)
	cmd.Env = pkcs11test.Environ(t)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGABRT) } // it says where it hangs
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitBegun(t, parts)
	return func() (int, string) {
		err := cmd.Wait()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), errs.String()
	}
}

// whole demands that every record decrypts at version 2, and that the transcripts
// are good.
func whole(t *testing.T, parts rehearsal.Parts, a rehearsal.Application, n int) {
	t.Helper()
	zeroAt(t, parts, 2)
	for i := range n {
		if v, err := a.Read(t.Context(), i); err != nil || v != 2 {
			t.Fatalf("record %d: version %d, %v", i, v, err)
		}
	}
	must(t, append([]string{"transcript", "verify"}, bundlesOf(t, parts)...)...)
}

// TestDiskFull fills the file system that holds store and transcript in the middle
// of a re-wrap: nothing is lost, and with room again the command continues.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	const n = 600
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		pkcs11test.Missing(t, "the right to mount a file system of its own: "+err.Error()+"; the test")
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	parts, a := swiftWith(t, dir, pkcs11test.Module(t), n)
	end := started(t, parts)
	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	code, said := end()
	if code != 1 || !strings.Contains(said, "full") && !strings.Contains(said, "no space") {
		t.Errorf("exit %d\n%s", code, said)
	}
	for i := range n { // whatever is full, everything is readable
		if v, err := a.Read(t.Context(), i); err != nil {
			t.Fatalf("record %d: version %d, %v", i, v, err)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	must(t, rotateTo(parts, 2)...)
	whole(t, parts, a, n)
}

// fill writes a file until there is no room for a byte.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
