package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

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
	line, _, _ := bytes.Cut(b.Bytes(), []byte("\n"))
	b.SetLen(len(bytes.TrimSuffix(line, []byte("\r"))))
	return b, nil
}

// LoginFromFile logs in with the PIN of a file, but never as a token's final try; count
// may be the zero Attempts. A PIN that was refused is marked in PATH.refused, and
// nobody tries this file again until the mark is removed by hand: a fleet that starts
// together makes one attempt, not one each. Where no mark can be made the count alone
// ends the attempts.
func LoginFromFile(ctx context.Context, p Provider, path string, count func(Tries) Attempts) error {
	lock, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the PIN: %w", err)
	}
	defer lock.Close()
	if err := lockFile(ctx, lock); err != nil {
		return err
	}
	mark := path + ".refused"
	if _, err := os.Lstat(mark); err == nil {
		return fmt.Errorf("%s: this PIN was refused before (%s is there): %w",
			printable.Text(path), printable.Text(mark), ErrPINRefused)
	}
	tries, err := p.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	if tries.Ask {
		if err := p.Enter(ctx, File(path)); err != nil {
			return err
		}
	}
	err = count(tries).Attempt(ctx, p, tries, false)
	if tried := !errors.Is(err, ErrUntried); tried && (errors.Is(err, ErrPINRefused) || errors.Is(err, ErrPINLocked)) {
		f, markErr := os.OpenFile(mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if markErr == nil {
			markErr = errors.Join(f.Sync(), f.Close())
		}
		err = errors.Join(err, markErr)
	}
	return err
}

// Uncounted counts no attempts.
func Uncounted(Tries) Attempts { return Attempts{} }
