// Package file is the one way to write a file that must last, and the one way to read a
// file that people or other machines bring.
//
// What lasts: what happened is on disk before it is on the screen, and before the next act
// (promise 5). When a function of this package returns nil, the bytes are on disk, and so
// is the entry in the directory. A file has mode 0600. No link at the end of a path is
// followed to write.
//
// What is brought: a path may lead to a link, a FIFO, a device, or a file without end,
// and nothing on a disk makes people sign what did not happen (promise 8). Read and Open
// look at the very file that they opened, refuse what Rules do not allow, and never hand
// out the beginning of a file that is too large.
package file

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Refusals of a file.
var (
	ErrLink       = errors.New("a link")
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("too large")
	ErrSecondName = errors.New("it has a second hard link")
	ErrOwner      = errors.New("it has another owner")
	ErrMode       = errors.New("want a regular file of mode 0600 or stricter")
)

// refuse says that a rule refuses the file at path.
func refuse(path string, why error) error {
	return &fs.PathError{Op: "read", Path: printable.Text(path), Err: why}
}

// opening is the error of an open, which names a link as one, and the path as it can be
// printed.
func opening(path string, err error) error {
	if errors.Is(err, unix.ELOOP) {
		err = ErrLink
	}
	return &fs.PathError{Op: "open", Path: printable.Text(path), Err: Cause(err)}
}

// Cause is an error without the name of the file: what was typed as a name may be a secret,
// and a caller may have a better name.
func Cause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
