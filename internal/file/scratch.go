package file

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// scratchPrefix begins the name of a Scratch directory.
const scratchPrefix = "kekceremony-scratch-"

// scratchTries bounds how often Scratch begins again: another process may take a new directory for one that is left.
const scratchTries = 10

// leftMost bounds how many entries of the directory for temporary files are looked at: anyone may fill it.
const leftMost = 1 << 16

var sweepOnce sync.Once

// Scratch makes a directory of mode 0700, among temporary files, for what another program reads: nothing secret. done
// removes it, with the files in it. A process that is killed leaves its own, and the next one that calls Scratch
// removes it.
func Scratch() (dir string, done func(), err error) {
	sweepOnce.Do(sweep)
	for range scratchTries {
		if dir, err = os.MkdirTemp("", scratchPrefix); err != nil {
			return "", nil, err
		}
		d, err := lockDir(dir)
		switch {
		case err == nil:
			return dir, func() { removeLocked(dir, d) }, nil
		case !errors.Is(err, ErrLocked) && !errors.Is(err, fs.ErrNotExist): // a file system without locks: nobody sweeps
			return dir, func() { _ = os.RemoveAll(dir) }, nil
		}
	}
	return "", nil, &fs.PathError{Op: "lock", Path: dir, Err: ErrLocked}
}

// sweep removes what processes that were killed left: directories that are ours and that nobody has locked. It
// removes nothing where others may give a directory of ours another name.
func sweep() {
	top, err := os.Open(os.TempDir())
	if err != nil {
		return
	}
	defer top.Close()
	if !keepsNames(top) {
		return
	}
	entries, _ := top.ReadDir(leftMost)
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		path := filepath.Join(os.TempDir(), e.Name())
		if d, err := lockDir(path); err == nil {
			removeLocked(path, d)
		}
	}
}

// keepsNames reports whether nobody but this user and root can rename what this user has in a directory.
func keepsNames(dir *os.File) bool {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return false
	}
	owned := st.Uid == 0 || int(st.Uid) == os.Geteuid()
	return owned && (st.Mode&0o022 == 0 || st.Mode&unix.S_ISVTX != 0)
}

// lockDir opens and locks a directory of this user, and of mode 0700, that is there: not a link, nor one that somebody
// removed before it was locked.
func lockDir(path string) (*os.File, error) {
	d, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st, named unix.Stat_t
	if err = TryLock(d); err == nil {
		err = cmp.Or(unix.Fstat(int(d.Fd()), &st), unix.Lstat(path, &named))
	}
	switch {
	case err != nil:
	case st.Dev != named.Dev || st.Ino != named.Ino:
		err = fs.ErrNotExist
	case int(st.Uid) != os.Geteuid():
		err = ErrOwner
	case st.Mode&0o777 != 0o700:
		err = ErrMode
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// removeLocked removes a directory and the files in it, and follows no link. What has a directory in it stays.
func removeLocked(path string, d *os.File) {
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		_ = unix.Unlinkat(int(d.Fd()), name, 0)
	}
	_ = os.Remove(path)
	_ = Unlock(d)
}
