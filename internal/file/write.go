package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Create writes a file that must not be there yet: neither a file nor a link. A crash may
// leave the beginning of it; what could not be written whole is taken away.
func Create(path string, data []byte) error {
	if err := write(path, data); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Replace writes a file over the one that may be there, which stays whole until the new
// one is on disk: a crash leaves the one or the other. The new one is path.new meanwhile;
// what an earlier crash left there goes away.
func Replace(path string, data []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := write(next, data); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return SyncDir(filepath.Dir(path))
}

// write makes a file and syncs it, but not its directory.
func write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Mkdir makes a directory of mode 0700, which must not be there yet.
func Mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir has the entries of a directory on disk: without it a crash may take away a file
// that was synced itself.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Rename gives a file or a directory another name of the same directory, which nothing may
// have yet. A crash leaves the one name or the other.
func Rename(path, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(&fs.PathError{Op: "rename", Path: printable.Text(to), Err: fs.ErrExist}, err)
	}
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}
