package secret

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// ErrTraced is returned by a process that another one traces. A tracer sets its registers,
// and so has it do anything, whatever Harden forbids.
var ErrTraced = errors.New("another process traces this one")

var tracer = regexp.MustCompile(`(?m)^TracerPid:\t([0-9]+)$`)

// Untraced refuses a process of which a thread is traced. After Harden no process of the
// same user begins to.
func Untraced() error {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("look for a tracer: no threads in /proc: %w", errors.Join(err, ErrTraced))
	}
	for _, path := range threads {
		status, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		by := tracer.FindSubmatch(status)
		if err != nil || by == nil {
			return fmt.Errorf("look for a tracer: %w", errors.Join(err, ErrTraced))
		}
		if string(by[1]) != "0" {
			return fmt.Errorf("process %s: %w", by[1], ErrTraced)
		}
	}
	return nil
}
