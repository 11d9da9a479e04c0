package login

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// attempts counts the attempts to log in to one token that did not succeed, for
// tokens that do not report it: a byte each in a file, on disk before the attempt is
// made. What becomes of the count is decided under a lock, so that two consoles do not
// both make the attempt before the last.
type attempts struct {
	path    string
	allowed int
}

// attemptsOf counts those at a token, of which the one after allowed-1 failures is its
// final one. The file is .attempts-<hex> in a directory. Without a directory nothing
// is counted.
func attemptsOf(dir string, t provider.Tries, allowed int) attempts {
	if dir == "" {
		return attempts{}
	}
	sum := sha256.Sum256([]byte(t.Token + "\x00" + t.Serial))
	return attempts{filepath.Join(dir, fmt.Sprintf(".attempts-%x", sum[:8])), allowed}
}

// AttemptsName is what the files are called that count the attempts at a token.
var AttemptsName = regexp.MustCompile(`^\.attempts-[0-9a-f]{16}$`)

// failed is how many attempts failed since the last that did not, and whether the
// next is the final one. It returns provider.ErrPINLocked when there is none left.
func (a attempts) failed() (n int, final bool, err error) {
	if a.path == "" {
		return 0, false, nil
	}
	info, err := os.Lstat(a.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return a.left(0)
	case err != nil:
		return 0, false, err
	}
	return a.left(int(info.Size()))
}

func (a attempts) left(n int) (int, bool, error) {
	if n >= a.allowed {
		return n, true, fmt.Errorf("%d attempts failed, by the count in %s: %w", n, a.path, provider.ErrPINLocked)
	}
	return n, n == a.allowed-1, nil
}

// told adds to the refusal of a PIN how many attempts failed, and how many may be left.
func (a attempts) told(err error) error {
	n, _, _ := a.failed() // the refusal matters more
	if n == 0 || !errors.Is(err, provider.ErrPINRefused) || errors.Is(err, provider.ErrUntried) {
		return err
	}
	err = fmt.Errorf("%w; attempts failed: %d of at most %d", err, n, a.allowed)
	if n < a.allowed {
		err = fmt.Errorf("%w; the last one needs an approval", err)
	}
	return err
}

// attempt makes one attempt to log in with what was entered. A final one must have been
// allowed, no matter who else failed meanwhile. An attempt whose fate is not known stays
// counted; one that was none does not. A person with a keypad may call it off; any
// other attempt is waited for, as far as the provider waits.
func (a attempts) attempt(ctx context.Context, in provider.PINLogin, t provider.Tries, final bool) (err error) {
	waiting := ctx
	if t.Ask {
		ctx = context.WithoutCancel(ctx)
	}
	if a.path == "" {
		return in.Login(ctx, final)
	}
	f, err := file.OpenLog(a.path)
	if err != nil {
		return fmt.Errorf("count the attempt: %w", err)
	}
	defer file.Unlock(f)
	if err := file.Lock(waiting, f); err != nil {
		return fmt.Errorf("count the attempt: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("count the attempt: %w", err)
	}
	n := info.Size()
	if _, last, err := a.left(int(n)); err != nil {
		return errors.Join(err, provider.ErrUntried)
	} else if last && !final {
		return fmt.Errorf("%d attempts failed, by the count in %s: %w", n, a.path,
			errors.Join(provider.ErrFinalTry, provider.ErrUntried))
	}
	if _, err := file.Append(f, []byte{'.'}); err != nil {
		return fmt.Errorf("count the attempt: %w", err)
	}
	err = in.Login(ctx, final)
	switch {
	case err == nil:
		err = file.Cut(f, 0)
	case errors.Is(err, provider.ErrUntried):
		err = errors.Join(err, file.Cut(f, n))
	}
	return err
}
