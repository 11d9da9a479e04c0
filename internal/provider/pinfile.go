package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// File is the path of a file of mode 0600 whose first line is a PIN.
type File string

// Read implements Source.
func (f File) Read(context.Context) (*secret.Buffer, error) {
	b, err := secret.ReadFile(string(f), MaxPIN+1)
	if err != nil {
		return nil, err
	}
	b.SetLen(len(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
	return b, nil
}

// LoginFromFile logs in with the PIN of a file, but never as a token's final try.
// One that was refused, or whose fate is not known, is marked in PATH.refused, and
// nobody tries this file again until the mark is removed by hand: a fleet that
// starts together makes one attempt, not one each.
func LoginFromFile(ctx context.Context, p Provider, path string) error {
	lock, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the PIN: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", printable.Text(path), err)
	}
	mark := path + ".refused"
	if _, err := os.Lstat(mark); err == nil {
		return fmt.Errorf("%s: this PIN was refused before (%s is there): %w", printable.Text(path), printable.Text(mark), ErrPINRefused)
	}
	tries, err := p.Tries(ctx)
	if err == nil && tries.Ask {
		err = p.Enter(ctx, File(path))
	}
	if err == nil {
		if err = p.Login(ctx, false); errors.Is(err, ErrKeeper) {
			err = fmt.Errorf("whether the PIN was taken is not known: %w", errors.Join(err, ErrPINRefused))
		}
	}
	if errors.Is(err, ErrPINRefused) || errors.Is(err, ErrPINLocked) || errors.Is(err, ErrFinalTry) {
		f, markErr := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if markErr == nil {
			markErr = errors.Join(f.Sync(), f.Close())
		}
		err = errors.Join(err, markErr)
	}
	return err
}
