package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// attack is one way to get hold of one process.
type attack struct {
	console       int
	trace, keeper bool

	tries     int // while the target was what it is to become
	held      int // the process; 0: none
	mem, maps *os.File
}

// enough is how many steps of a process are tried. The program locks itself within a few.
const enough = 300

// child steps a process if it is a child of the console.
func (a *attack) child(pid int) {
	stat := status(pid)
	if len(stat) < 2 || stat[1] != fmt.Sprint(a.console) {
		return
	}
	a.try(pid)
}

// try stops a process again and again, and tries each time.
func (a *attack) try(pid int) {
	defer func() { _ = unix.Kill(pid, unix.SIGCONT) }()
	for a.tries < enough && a.held == 0 {
		if unix.Kill(pid, unix.SIGSTOP) != nil {
			return
		}
		for stat := status(pid); len(stat) > 0 && stat[0] != "T"; stat = status(pid) {
			if stat[0] == "Z" {
				return
			}
		}
		if a.target(pid) {
			a.tries++
			if a.seize(pid) {
				a.held = pid
			}
		}
		_ = unix.Kill(pid, unix.SIGCONT)
	}
}

// status are the fields of a process's state after its name; none: it is gone.
func status(pid int) []string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.Fields(rest)
}

// target reports whether a process executes the program by now.
func (a *attack) target(pid int) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	name, args, _ := strings.Cut(string(line), "\x00")
	if a.keeper {
		return args == "keeper\x00"
	}
	return strings.HasSuffix(name, "/kekceremony") && strings.HasPrefix(args, "agent\x00")
}

// seize gets hold of a process, which is stopped.
func (a *attack) seize(pid int) bool {
	if a.trace {
		_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0)
		return e == 0
	}
	var err error
	if a.mem, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err != nil {
		return false
	}
	a.maps, err = os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	return err == nil
}

// goOn lets a traced process run on.
func (a *attack) goOn() {
	var status unix.WaitStatus
	_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	if !a.trace || a.held == 0 {
		return
	}
	if pid, err := unix.Wait4(a.held, &status, unix.WNOHANG|unix.WALL, nil); err != nil || pid == 0 || !status.Stopped() {
		return
	}
	signal := int(status.StopSignal())
	if status>>16 == unix.PTRACE_EVENT_STOP {
		signal = 0
	}
	_ = syscall.PtraceCont(a.held, signal)
}
