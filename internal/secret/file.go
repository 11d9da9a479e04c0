package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrOwner is returned by ReadFile for a file of another user, who could read and
// change it.
var ErrOwner = errors.New("want a file of this user")

// ErrMode is returned by ReadFile for a file that others may read.
var ErrMode = errors.New("want a regular file of mode 0600 or stricter")

// ReadFile reads a file of secrets of at most limit bytes into locked memory.
// The file must be regular, reached without a final symlink, and closed to
// group and others, and this user's own.
func ReadFile(path string, limit int) (*Buffer, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read %s: mode %04o: %w", path, info.Mode().Perm(), ErrMode)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("read %s: %w", path, ErrOwner)
	}
	b, err := New(limit + 1)
	if err != nil {
		return nil, err
	}
	n, err := readFull(fd, b.Room()[:limit+1])
	if err == nil && n > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	if err != nil {
		b.Wipe()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	b.SetLen(n)
	return b, nil
}

func readFull(fd int, into []byte) (int, error) {
	n := 0
	for n < len(into) {
		m, err := unix.Read(fd, into[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || m == 0 {
			return n, err
		}
		n += m
	}
	return n, nil
}
