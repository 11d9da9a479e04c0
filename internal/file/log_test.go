package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/file"
)

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := file.CreateLog(path)
	must(t, err)
	for i, line := range []string{"one\n", "two\n"} {
		if at, err := file.Append(f, []byte(line)); err != nil || at != int64(4*i) {
			t.Errorf("line %d at %d, %v", i, at, err)
		}
	}
	must(t, file.Cut(f, 4))
	_, err = file.Append(f, []byte("three\n"))
	must(t, err)
	holds(t, path, "one\nthree\n")
	must(t, f.Close())
	if _, err := file.CreateLog(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	f, err = file.OpenLog(path)
	must(t, err)
	if data, err := file.All(f, 64); err != nil || string(data) != "one\nthree\n" {
		t.Errorf("read %q, %v", data, err)
	}
	if at, err := file.Append(f, []byte("four\n")); err != nil || at != 10 {
		t.Errorf("at %d, %v", at, err)
	}
	must(t, f.Close())
}

// TestLogRefused: a log is no link, and no FIFO, at which its reader would take the lines.
func TestLogRefused(t *testing.T) {
	dir := t.TempDir()
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	must(t, os.Symlink(filepath.Join(dir, "elsewhere"), link))
	must(t, unix.Mkfifo(fifo, 0o600))
	if _, err := file.OpenLog(link); !errors.Is(err, file.ErrLink) {
		t.Errorf("a link: %v", err)
	}
	if _, err := file.OpenLog(fifo); !errors.Is(err, file.ErrNotRegular) {
		t.Errorf("a FIFO: %v", err)
	}
}

// TestLock: one has the lock, and a wait for it ends with its context.
// TestUnlock: a child that is being started has a copy of a log's descriptor. The lock does not wait for its program.
func TestUnlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := file.CreateLog(path)
	must(t, err)
	must(t, file.TryLock(f))
	child, err := unix.Dup(int(f.Fd()))
	must(t, err)
	defer unix.Close(child)
	must(t, file.Unlock(f))
	again, err := file.OpenLog(path)
	must(t, err)
	must(t, file.TryLock(again))
	must(t, file.Unlock(again))
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	first, err := file.OpenLog(path)
	must(t, err)
	second, err := file.OpenLog(path)
	must(t, err)
	defer second.Close()
	must(t, file.TryLock(first))
	if err := file.TryLock(second); !errors.Is(err, file.ErrLocked) {
		t.Errorf("both have it: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := file.Lock(ctx, second); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	got := make(chan error)
	go func() { got <- file.Lock(t.Context(), second) }()
	must(t, first.Close())
	must(t, <-got)
}
