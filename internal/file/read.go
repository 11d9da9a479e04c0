package file

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Rules say which file may be read. The zero value allows an empty regular file that is
// reached without a link.
type Rules struct {
	Max int64 // bytes, at most

	// Follow allows a link at the end of the path. It is for files that the administrator
	// of this machine names and may well link, not for those that somebody else brings.
	Follow bool

	Owners  []int // user ids, one of which owns the file; none: anybody may
	Private bool  // group and others have no right to it
	OneName bool  // it has no hard link elsewhere, where others could change it
}

// Read reads a whole file that the rules allow.
func Read(path string, r Rules) ([]byte, error) {
	f, err := Open(path, r)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return All(f, r.Max)
}

// Open opens a file for reading, and refuses one that the rules do not allow. It never
// waits, as the open of a FIFO does.
func Open(path string, r Rules) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK
	if !r.Follow {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, opening(path, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = r.check(info)
	}
	if err != nil {
		f.Close()
		return nil, refuse(path, Cause(err))
	}
	return f, nil
}

// check looks at a file that is open.
func (r Rules) check(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return ErrNotRegular
	case r.OneName && (!ok || stat.Nlink > 1):
		return ErrSecondName
	case r.Private && (!ok || !private(info.Mode(), stat.Uid, stat.Gid, os.Geteuid())):
		return fmt.Errorf("mode %04o: %w", info.Mode().Perm(), ErrMode)
	case len(r.Owners) > 0 && (!ok || !slices.Contains(r.Owners, int(stat.Uid))):
		return ErrOwner
	case info.Size() > r.Max:
		return tooLarge(r.Max)
	}
	return nil
}

// private reports whether no other user may read the file, or write to it. A file of root's that an
// access list lets this user read, as systemd's credentials are, has the list's mask in place of
// the rights of root's group.
func private(mode fs.FileMode, owner, group uint32, user int) bool {
	others := mode.Perm() & 0o077
	return others == 0 || others == 0o040 && owner == 0 && group == 0 && user != 0
}

// All reads what is left of an open file, which may grow meanwhile.
func All(f *os.File, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = tooLarge(most)
	}
	if err != nil {
		return nil, refuse(f.Name(), Cause(err))
	}
	return data, nil
}

func tooLarge(most int64) error { return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most) }
