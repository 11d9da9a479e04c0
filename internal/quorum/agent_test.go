package quorum_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// stockAgent starts ssh-agent with one key in it, added as args say.
func stockAgent(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	socket, key := filepath.Join(dir, "s"), filepath.Join(dir, "key")
	stock(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts"), append([]byte("host.example "), public...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Setenv("SSH_AUTH_SOCK", socket)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for guard := time.After(4 * time.Minute); ; { // until it listens: the socket is there a little earlier
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			break
		}
		select {
		case <-tick.C:
		case <-guard:
			t.Fatal("ssh-agent never came")
		}
	}
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "DIR", dir)
	}
	stock(t, nil, "ssh-add", append(append([]string{"-q"}, args...), key)...)
	return cmd
}

func stock(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func askpass(t *testing.T, script string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{"SSH_ASKPASS=" + path, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=x"}
}

// TestS16: an agent that is locked, gone or slow offers no key, and the others continue;
// one that may not or will not sign says so, and leaves nothing behind.
func TestS16(t *testing.T) {
	if n := len(quorum.AgentKeys(t.Context())); n != 0 && os.Getenv("SSH_AUTH_SOCK") == "" {
		t.Fatalf("%d keys without an agent", n)
	}
	for _, c := range []struct {
		name string
		add  []string // flags of ssh-add
		then func(t *testing.T, agent *exec.Cmd)
		keys int
		says string // of signing
	}{
		{"well", nil, nil, 1, ""},
		{"locked", nil, func(t *testing.T, _ *exec.Cmd) { stock(t, askpass(t, "echo secret"), "ssh-add", "-x") }, 0, ""},
		{"gone", nil, func(_ *testing.T, a *exec.Cmd) { _ = a.Process.Kill(); _ = a.Wait() }, 0, ""},
		{"slow", nil, func(_ *testing.T, a *exec.Cmd) { _ = a.Process.Signal(syscall.SIGSTOP) }, 0, ""},
		{"bound to a destination", []string{"-H", "DIR/hosts", "-h", "host.example"}, nil, 1, "agent refused operation"},
		{"nobody confirms", []string{"-c"}, nil, 1, "agent refused operation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			agent := stockAgent(t, c.add...)
			if c.then != nil {
				c.then(t, agent)
			}
			keys := quorum.AgentKeys(t.Context())
			_ = agent.Process.Signal(syscall.SIGCONT)
			if len(keys) != c.keys {
				t.Fatalf("%d keys, want %d", len(keys), c.keys)
			}
			if c.keys == 0 {
				return
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "statement")
			if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			sig, err := keys[0].Sign(t.Context(), approveSpace, path, nil)
			if c.says == "" && (err != nil || !bytes.HasPrefix(sig, []byte("-----BEGIN SSH SIGNATURE"))) ||
				c.says != "" && (err == nil || !strings.Contains(fmt.Sprint(err), c.says)) {
				t.Errorf("got %q, %v, want %q", sig, err, c.says)
			}
			if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
