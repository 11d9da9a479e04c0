package main_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestStoppedByKey: ctrl+c and ctrl+\ reach all programs of a terminal. While ssh-keygen reads a file, they stop the
// command: it says so, and neither that a file is missing, nor that a signature is bad, nor what its goroutines do.
func TestStoppedByKey(t *testing.T) {
	t.Parallel()
	needHostName(t)
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	signed := s.moved()
	signed.run("install")
	verify := []string{binary, "transcript", "verify", "--revoked", here + "/slow", bundlesOf(t, signed.Parts)[0]}
	install := func(face string) []string {
		return []string{binary, "install", "--ui", face, "--config", here + "/config.yaml", "--key", here + "/slow"}
	}
	notBegun := func(face string) string {
		return "kekceremony: stopped before the ceremony began; nothing was changed\r\nkekceremony: to go on: " +
			strings.Join(install(face), " ") + "\r\n"
	}
	for _, c := range []struct {
		name  string
		in    scene
		args  []string
		key   string
		wants string
	}{
		{"wizard, ctrl+c", s, install("tui"), "\x03", notBegun("tui")},
		{"wizard, ctrl+backslash", s, install("tui"), "\x1c", notBegun("tui")},
		{"line mode, ctrl+c", s, install("line"), "\x03", notBegun("line")},
		{"line mode, ctrl+backslash", s, install("line"), "\x1c", notBegun("line")},
		{"verification", signed, verify, "\x03",
			"kekceremony: stopped; nothing is lost\r\nkekceremony: to go on: " + strings.Join(verify, " ")},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := c.in.moved()
			in.t = t
			code, said := in.stopsBy(c.key, c.args...)
			if code != 75 || !strings.Contains(said, c.wants) || strings.Contains(said, "goroutine ") {
				t.Errorf("exit %d\n%s", code, said)
			}
			if n := len(bundlesOf(t, in.Parts)); n != len(bundlesOf(t, c.in.Parts)) {
				t.Errorf("there are %d bundles", n)
			}
		})
	}
}

// stopsBy runs a program on a terminal of its own, presses a key when something reads the pipe called slow, and
// returns how it ended.
func (s scene) stopsBy(key string, args ...string) (code int, said string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	slow := filepath.Join(s.Dir, "slow")
	if err := syscall.Mkfifo(slow, 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(ctx, "console1", args...)
	cmd.Env = append(cmd.Env, "TERM=screen", "LANG=C.UTF-8")
	tty, err := pty.Start(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tty.Close()
	writer, err := os.OpenFile(slow, os.O_WRONLY, 0) // it waits for the reader
	if err != nil {
		s.t.Fatal(err)
	}
	defer writer.Close()
	if _, err := io.WriteString(tty, key); err != nil {
		s.t.Fatal(err)
	}
	text, _ := io.ReadAll(tty) // it ends with an error, as the program does
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), string(text)
}

// TestQuitInLineMode: SIGQUIT stops a ceremony as the end of input does, and says how to continue. Its key is none in
// line mode.
func TestQuitInLineMode(t *testing.T) {
	t.Parallel()
	needHostName(t)
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	cmd := s.console(t.Context(), "line", "install")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	pressed := 0
	said := string(reply(tty, func(asked string) string {
		switch {
		case strings.Contains(asked, "Path of the roster"):
			return here + "/roster"
		case pressed == 0:
			pressed++
			return "\x1c"
		}
		if err := syscall.Kill(cmd.Process.Pid, syscall.SIGQUIT); err != nil {
			t.Error(err)
		}
		return ""
	}))
	_ = cmd.Wait()
	stopped := "kekceremony: stopped at step attend; nothing is lost\r\n"
	again := "kekceremony: to go on: " + strings.Join(cmd.Args[slices.Index(cmd.Args, binary):], " ") + "\r\n"
	if code := cmd.ProcessState.ExitCode(); code != 75 || strings.Contains(said, "goroutine ") ||
		!strings.Contains(said, "Stopping: finishing the work in progress.") || strings.Contains(said, "error") ||
		!strings.Contains(said, stopped) || !strings.Contains(said, again) {
		t.Errorf("exit %d\n%s", code, said)
	}
}

// TestAgentStops: an agent that a signal ends has done its work.
func TestAgentStops(t *testing.T) {
	t.Parallel()
	needHostName(t)
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	s.run("install")
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		agent := s.agent()
		if err := errors.Join(agent.Process.Signal(signal), agent.Wait()); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
	}
}
