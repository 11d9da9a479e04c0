package keeper

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/file"
)

// ErrReadable is returned where a keeper would begin as a process whose memory other
// processes of the same user can open.
var ErrReadable = errors.New("other processes of this user could read the keeper's memory")

const (
	self      = "/proc/self/exe"
	debugging = "/proc/sys/fs/suid_dumpable" // 1: for the kernel, what is said below is not so (proc(5))
)

// program is what a child is started from. A process that forbids others of its user to
// open its memory does so by instructions of its own: a descriptor that was opened before
// them stays good. The kernel forbids it from the exec on if the user may not read the file
// (execve(2), under "Effect on process attributes"). Where this program can be read, a copy
// is started, in memory: it has no name, and one right, to be executed.
func program() (*os.File, error) {
	if os.Geteuid() == 0 { // it reads every file, and every process
		return aside(os.OpenFile(self, unix.O_PATH, 0))
	}
	if set, err := file.Read(debugging, file.Rules{Max: 16}); err == nil && strings.HasPrefix(string(set), "1") {
		return nil, fmt.Errorf("%w: %s is 1", ErrReadable, debugging)
	}
	readable, err := os.OpenFile(self, os.O_RDONLY, 0)
	if errors.Is(err, os.ErrPermission) {
		return aside(os.OpenFile(self, unix.O_PATH, 0))
	}
	if err != nil {
		return nil, err
	}
	defer readable.Close()
	f, err := aside(copied(readable))
	if err != nil {
		return nil, fmt.Errorf("%w: copy the program: %w", ErrReadable, err)
	}
	return f, nil
}

// unreadable demands of a child that this process, which is one of the same user's, cannot open
// its memory: whatever the kernel's settings are. Else it is ended.
func unreadable(child *os.Process) error {
	if os.Geteuid() == 0 {
		return nil
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", child.Pid), os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	memory.Close()
	_ = child.Kill()
	_, _ = child.Wait()
	return ErrReadable
}

// copied is a copy that nobody can write to, since it is sealed, nor open to read it.
func copied(from io.Reader) (*os.File, error) {
	made, err := unix.MemfdCreate(Command, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 every one can be executed
		made, err = unix.MemfdCreate(Command, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, err
	}
	memory := os.NewFile(uintptr(made), Command)
	defer memory.Close() // nothing is executed while it is open for writing
	if _, err := io.Copy(memory, from); err != nil {
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, err
	}
	if err := memory.Chmod(0o111); err != nil {
		return nil, err
	}
	return os.OpenFile(link(memory), unix.O_PATH, 0)
}

// link is the name of a descriptor for the process itself, and for its child until the exec.
func link(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// aside is a file under a number that no descriptor takes which a child is given.
func aside(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const lowest = 100
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, lowest)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
