package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// join has a provider start its other processes, if it has such. A PIN that is refused there counts as
// an attempt that failed.
func (a attempts) join(ctx context.Context, in provider.PINLogin) error {
	j, ok := in.(provider.Joined)
	if !ok {
		return nil
	}
	err := j.Join(ctx)
	if !wasRefused(err) || a.path == "" {
		return err
	}
	f, opened := file.OpenLog(a.path)
	if opened != nil {
		return errors.Join(err, fmt.Errorf("count the attempt: %w", opened))
	}
	defer f.Close()
	_, counted := file.Append(f, []byte{'.'})
	return errors.Join(err, counted)
}

// wasRefused reports whether a token compared a PIN and refused it.
func wasRefused(err error) bool {
	refused := errors.Is(err, provider.ErrPINRefused) || errors.Is(err, provider.ErrPINLocked)
	return refused && !errors.Is(err, provider.ErrUntried)
}
