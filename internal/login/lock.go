package login

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// lockFile takes the lock of a file, until it is closed. Whoever else has it may stand
// at a keypad: ctx ends the wait.
func lockFile(ctx context.Context, f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			if err != nil {
				err = fmt.Errorf("lock %s: %w", printable.Text(f.Name()), err)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", printable.Text(f.Name()), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
