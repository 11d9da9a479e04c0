package provider

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Attempts counts the attempts to log in to one token that did not succeed, for
// tokens that do not report it: a byte each in a file, on disk before the attempt is
// made. A success removes the file.
type Attempts struct {
	path    string
	allowed int
}

// AttemptsOf counts those of the token of a serial, of which the one after allowed-1
// failures is its final one. The file is .attempts-<hex> in a directory.
// Without a directory nothing is counted.
func AttemptsOf(dir, serial string, allowed int) Attempts {
	if dir == "" {
		return Attempts{}
	}
	sum := sha256.Sum256([]byte(serial))
	return Attempts{filepath.Join(dir, fmt.Sprintf(".attempts-%x", sum[:8])), allowed}
}

// Failed is how many attempts failed since the last that did not, and whether the
// next is the final one. It returns ErrPINLocked when there is none left.
func (a Attempts) Failed() (n int, final bool, err error) {
	if a.path == "" {
		return 0, false, nil
	}
	info, err := os.Lstat(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, a.allowed == 1, nil
	}
	if err != nil {
		return 0, false, err
	}
	n = int(info.Size())
	if n >= a.allowed {
		err = fmt.Errorf("%d attempts failed, by the count in %s: %w", n, a.path, ErrPINLocked)
	}
	return n, n == a.allowed-1, err
}

// Begin counts an attempt before it is made.
func (a Attempts) Begin() error {
	if a.path == "" {
		return nil
	}
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{'.'})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return a.syncDir()
}

// End takes back what Begin counted when the PIN was not at fault, and everything
// when it was right. An attempt whose fate is not known stays counted.
func (a Attempts) End(err error) error {
	switch {
	case a.path == "", errors.Is(err, ErrPINRefused), errors.Is(err, ErrPINLocked), Lost(err):
		return nil
	case err == nil:
		if err := os.Remove(a.path); err != nil {
			return err
		}
		return a.syncDir()
	}
	n, _, _ := a.Failed() // what is too much is counted too
	return os.Truncate(a.path, int64(max(0, n-1)))
}

func (a Attempts) syncDir() error {
	dir, err := os.Open(filepath.Dir(a.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
