package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// strace reports first that a thread calls fsync, and then that the thread stops with its whole process.
var (
	syncs = regexp.MustCompile(`^(\d+) +f(?:data)?sync\(`)
	stops = regexp.MustCompile(`^(\d+) +--- stopped by SIGSTOP ---`)
)

// interrupt runs a ceremony until it ends or waits for people, and takes a snapshot at every fsync. Nothing moves then:
// strace stops the console, and the agents are stopped as well. A kill -9 at that instant would leave the same files,
// because what a process has written stays when the process is killed.
func (s scene) interrupt(kind string, agents ...*exec.Cmd) (all []snapshot, code int) {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(s.t.Context(), "console1", "strace", "-f", "-qq", "-o", "/proc/self/fd/3", "-e", "signal=STOP",
		"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:signal=STOP", s.binary)
	cmd.Args = append(cmd.Args, s.unattended(interruptedCommands[kind].command...)...)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{w}, os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	w.Close()
	synced := map[string]bool{} // by thread
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if m := syncs.FindStringSubmatch(lines.Text()); m != nil {
			synced[m[1]] = true
		}
		if m := stops.FindStringSubmatch(lines.Text()); m != nil && synced[m[1]] {
			synced[m[1]] = false // the other threads of the process report the same stop
			all = append(all, s.still(processOf(s.t, m[1]), agents))
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() < 0 {
		s.t.Fatalf("%s: %v", kind, err)
	}
	return all, cmd.ProcessState.ExitCode()
}

// still takes a snapshot of a stopped console, and stops the agents meanwhile.
func (s scene) still(console int, agents []*exec.Cmd) snapshot {
	s.t.Helper()
	pids := []int{console}
	for _, a := range agents {
		pids = append(pids, a.Process.Pid)
		if err := a.Process.Signal(syscall.SIGSTOP); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, pid := range pids {
		defer syscall.Kill(pid, syscall.SIGCONT)
		awaitStop(s.t, pid)
	}
	return s.snapshot()
}

// processOf returns the process of a thread.
func processOf(t *testing.T, thread string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + thread + "/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^Tgid:\s*(\d+)$`).FindStringSubmatch(string(status))
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitStop waits until every thread of a process is stopped.
func awaitStop(t *testing.T, pid int) {
	t.Helper()
	tick, guard := time.NewTicker(time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !stopped(t, pid) {
		select {
		case <-tick.C:
		case <-guard:
			t.Fatalf("process %d does not stop", pid)
		}
	}
}

func stopped(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d: %d threads, %v", pid, len(threads), err)
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			return false // a thread that ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if state := rest[:1]; state != "T" && state != "t" {
			return false
		}
	}
	return true
}
