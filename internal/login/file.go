package login

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// FileError is why the PIN of a file was not taken.
type FileError struct {
	Path string
	err  error
}

func (e *FileError) Error() string { return e.err.Error() }

func (e *FileError) Unwrap() error { return e.err }

// Mark is the file that keeps everybody from trying the PIN of a file again.
func (e *FileError) Mark() string { return e.Path + refused }

// refused is what the name of a mark ends with.
const refused = ".refused"

// fromFile logs in with the PIN of the file, but never as a token's final try. A PIN that
// was refused is marked in PATH.refused, and nobody tries this file again until the mark
// is removed by hand: a fleet that starts together makes one attempt, not one each. Where
// no mark can be made the count alone ends the attempts.
func (l Login) fromFile(ctx context.Context, in provider.PINLogin) error {
	path := l.File
	lock, err := file.Open(path, file.Rules{Max: provider.MaxPIN + 1})
	if err != nil {
		return fmt.Errorf("read the PIN: %w", err)
	}
	defer lock.Close()
	if err := file.Lock(ctx, lock); err != nil {
		return err
	}
	mark := path + refused
	if _, err := os.Lstat(mark); err == nil {
		return &FileError{path, fmt.Errorf("%s: this PIN was refused before (%s is there): %w", printable.Text(path),
			printable.Text(mark), provider.ErrPINRefused)}
	}
	tries, err := in.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	if tries.Ask {
		if err := in.Enter(ctx, provider.File(path)); err != nil {
			return err
		}
	}
	count := attemptsOf(l.Dir, tries, l.PIN.Tries)
	if err = count.attempt(ctx, in, tries, false); err == nil {
		err = count.join(ctx, in)
	}
	if wasRefused(err) {
		err = &FileError{path, errors.Join(err, file.Create(mark, nil))}
	}
	return err
}
