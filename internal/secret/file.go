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
	for {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		b, err := readWhole(f, int(min(info.Size(), int64(limit)))+1)
		if err != nil || b.Len() <= int(info.Size()) && b.Len() <= limit {
			return b, err
		}
		b.Wipe()
		if info.Size() >= int64(limit) {
			return nil, fmt.Errorf("read %s: %w", printable.Text(path), file.ErrTooLarge)
		} // else it grew since: once more
	}
}

// Read reads secrets of at most limit bytes to the end of a pipe or socket, into locked memory.
func Read(f *os.File, limit int) (*Buffer, error) {
	b, err := New(limit + 1)
	if err != nil {
		return nil, err
	}
	for n := 0; n <= limit; {
		more, err := f.Read(b.Room()[n : limit+1])
		n += more
		if b.SetLen(n); errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			b.Wipe()
			return nil, err
		}
	}
	b.Wipe()
	return nil, file.ErrTooLarge
}

// readWhole reads a file from its start into locked memory of its size, in bytes, and not more: to lock
// and wipe many pages takes long, and agents do so at each heartbeat.
func readWhole(f *os.File, size int) (*Buffer, error) {
	b, err := New(size)
	if err != nil {
		return nil, err
	}
	n, err := f.ReadAt(b.Room()[:size], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		b.Wipe()
		return nil, err
	}
	b.SetLen(n)
	return b, nil
}
