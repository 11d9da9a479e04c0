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

// maxPIN bounds a PIN in bytes (PKCS#11 tokens allow up to 255).
const maxPIN = 255

// LoginFromFile logs in with the PIN of a file of mode 0600. A refused PIN is
// marked in PATH.refused, and nobody tries this file again until the mark is
// removed by hand: a fleet that starts together makes one attempt, not one each.
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
	err = p.Login(ctx, func(context.Context, string, string) (*secret.Buffer, error) { return readPIN(path) })
	if errors.Is(err, ErrPINRefused) || errors.Is(err, ErrPINLocked) {
		f, markErr := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if markErr == nil {
			markErr = errors.Join(f.Sync(), f.Close())
		}
		err = errors.Join(err, markErr)
	}
	return err
}

// readPIN takes the file's first line.
func readPIN(path string) (*secret.Buffer, error) {
	b, err := secret.ReadFile(path, maxPIN+1)
	if err != nil {
		return nil, err
	}
	b.SetLen(len(bytes.TrimSuffix(b.Bytes(), []byte("\n"))))
	return b, nil
}
