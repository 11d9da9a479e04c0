package file_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// holds fails unless the file has this text, mode 0600, and nothing lies beside it.
func holds(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	if data, err := os.ReadFile(path); err != nil || string(data) != text || info.Mode() != 0o600 {
		t.Errorf("%s holds %.20q, mode %v, %v, want %.20q", path, data, info.Mode(), err, text)
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s.new is there: %v", path, err)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new")
	must(t, file.Create(path, []byte("first")))
	holds(t, path, "first")
	if err := file.Create(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	holds(t, path, "first")
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(filepath.Join(dir, "elsewhere"), link))
	if err := file.Create(link, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("through a link: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
}

// TestReplace: a link goes away itself, and what it led to stays, as does what a crash
// left at the name of the new file.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path, victim := filepath.Join(dir, "file"), filepath.Join(dir, "victim")
	must(t, file.Replace(path, []byte("first")))
	holds(t, path, "first")
	must(t, file.Create(victim, []byte("victim")))
	must(t, os.Symlink(victim, path+".new"))
	must(t, file.Replace(path, []byte("second")))
	holds(t, path, "second")
	must(t, os.Remove(path))
	must(t, os.Symlink(victim, path))
	must(t, file.Replace(path, []byte("third")))
	holds(t, path, "third")
	holds(t, victim, "victim")
	if err := file.Replace(dir, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Lstat(dir + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the new file is still there: %v", err)
	}
}

func TestMkdir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir")
	must(t, file.Mkdir(path))
	if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("got %v, %v", info, err)
	}
	if err := file.Mkdir(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: %v", err)
	}
}

// TestFull: on a disk that is full, the old file stays whole, nothing half-written stays,
// and a log ends where it ended.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		pkcs11test.Missing(t, "the right to mount a file system of its own: "+err.Error()+"; the test")
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	old, created, grown := filepath.Join(dir, "old"), filepath.Join(dir, "created"), filepath.Join(dir, "log")
	must(t, file.Replace(old, []byte("old")))
	log, err := file.CreateLog(grown)
	must(t, err)
	defer log.Close()
	_, err = file.Append(log, []byte("line\n"))
	must(t, err)

	large := bytes.Repeat([]byte("x"), 128<<10)
	if err := file.Replace(old, large); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("replace: %v", err)
	}
	holds(t, old, "old")
	if err := file.Create(created, large); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("create: %v", err)
	}
	if _, err := os.Lstat(created); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of it stays: %v", err)
	}
	if at, err := file.Append(log, large); !errors.Is(err, unix.ENOSPC) || at != 5 {
		t.Errorf("append: at %d, %v", at, err)
	}
	holds(t, grown, "line\n")
	_, err = file.Append(log, []byte("next\n"))
	must(t, err)
	holds(t, grown, "line\nnext\n")
}

// TestRename: what has the name already stays, also an empty directory.
func TestRename(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, file.Mkdir(at("old")))
	must(t, file.Create(filepath.Join(at("old"), "f"), []byte("text")))
	must(t, file.Mkdir(at("taken")))
	if err := file.Rename(at("old"), at("taken")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a directory: %v", err)
	}
	must(t, file.Rename(at("old"), at("new")))
	holds(t, filepath.Join(at("new"), "f"), "text")
	if err := file.Rename(at("old"), at("other")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}
