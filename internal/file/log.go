package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// ErrLocked: another process, or another place in this one, has the lock.
var ErrLocked = errors.New("another process has the lock")

// CreateLog makes a file that grows by Append, and that must not be there yet.
func CreateLog(path string) (*os.File, error) { return openLog(path, os.O_CREATE|os.O_EXCL) }

// OpenLog opens a file that grows by Append, and makes it where it is not there.
func OpenLog(path string) (*os.File, error) { return openLog(path, os.O_CREATE) }

func openLog(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, opening(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil {
		f.Close()
		return nil, opening(path, err)
	}
	return f, nil
}

// Append adds data at the end of a log, on disk when it returns. It returns where the end
// was before; when it fails the end is there again.
func Append(f *os.File, data []byte) (at int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		err = errors.Join(err, f.Truncate(info.Size()))
	}
	return info.Size(), err
}

// Cut takes what follows the first n bytes off a log, and off the disk.
func Cut(f *os.File, n int64) error { return errors.Join(f.Truncate(n), f.Sync()) }

// Unlock closes a file and releases its lock at once: a child that is being started has a copy of the descriptor until
// it runs its own program, and by closing alone the lock would be held as long.
func Unlock(f *os.File) error {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN) // of a file that is closed, Close says so
	return f.Close()
}

// TryLock takes the lock of a file, until Unlock or the end of the process. It returns
// ErrLocked when somebody else has it.
func TryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		err = fmt.Errorf("lock %s: %w", printable.Text(f.Name()), err)
	}
	return err
}

// Lock waits for the lock of a file. The process that has it may wait for somebody at a
// keypad: ctx ends the wait.
func Lock(ctx context.Context, f *os.File) error {
	for {
		err := TryLock(f)
		if !errors.Is(err, ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", printable.Text(f.Name()), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
