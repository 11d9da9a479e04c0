package secret

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// ReadFile reads a file of secrets of at most limit bytes into locked memory: this user's
// own or root's, since another owner could read and change it, and closed to all others.
func ReadFile(path string, limit int) (*Buffer, error) {
	f, err := file.Open(path, file.Rules{Max: int64(limit), Owners: []int{os.Geteuid(), 0}, Private: true})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := New(limit + 1)
	if err != nil {
		return nil, err
	}
	n, err := io.ReadFull(f, b.Room()[:limit+1]) // one byte more than it may have
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = nil
	case err == nil:
		err = fmt.Errorf("read %s: %w", printable.Text(path), file.ErrTooLarge)
	}
	if err != nil {
		b.Wipe()
		return nil, err
	}
	b.SetLen(n)
	return b, nil
}
