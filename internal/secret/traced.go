package secret

import (
	"errors"
	"fmt"
	"os"
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
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("look for a tracer: %w", err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/status")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		by := tracer.FindSubmatch(status)
		switch {
		case err != nil:
			return fmt.Errorf("look for a tracer: %w", err)
		case by == nil:
			return errors.New("look for a tracer: the kernel does not say")
		case string(by[1]) != "0":
			return fmt.Errorf("process %s: %w", by[1], ErrTraced)
		}
	}
	return nil
}
