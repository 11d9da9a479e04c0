package main_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestAttackAtStart is another process of the same user, which stops the program or its
// keeper in the first instructions, before they forbid anything, gets hold of the memory
// there, and reads it once the keys are in it. Of the keeper nobody gets hold; of the
// console only where the user may read the program's file; a traced console does not run.
func TestAttackAtStart(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	attacker := filepath.Dir(a.program) + "/attacker"
	pkcs11test.Run(t, "go", "build", "-o", attacker, "./testdata/attacker")
	parts := rehearsal.Parts{Dir: a.home + "/r"}
	if code, said := a.run(a.program, "rehearse", "--only", "install,rotate",
		"--provider", "env", "--ui", "none", "--records", "10",
		"--dir", parts.Dir); code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	key := keyOf(t, filepath.Join(parts.Dir, "secrets.env"))
	writing, traced := "agent: writing version 2\n", ": another process traces this one\n"
	missed := "tried true, held false, found 0"
	for _, c := range []struct {
		program, way, target string
		agent, result        string // the last line of the one, the beginning of what the other prints
	}{
		{a.program, "mem", "keeper", writing, missed},
		{a.program, "trace", "keeper", writing, missed},
		{a.program, "mem", "console", writing, "tried true, held true, found "}, // which shows that the attack works
		{a.program, "trace", "console", traced, "tried true, held true, found 0"},
		{a.guarded, "mem", "keeper", writing, missed},
		{a.guarded, "trace", "keeper", writing, missed},
		{a.guarded, "mem", "console", writing, missed},
		{a.guarded, "trace", "console", writing, missed},
	} {
		name := strings.Join([]string{filepath.Base(filepath.Dir(c.program)), c.way, c.target}, " ")
		text := key
		if c.target == "console" { // it has no key, but its configuration
			text = []byte("secrets_file: " + parts.Dir)
		}
		agent := startGated(a, c.program, "agent", "--role", rehearsal.Role, "--config", parts.Config())
		result := attackOn(a, agent, attacker, c.way, c.target, text)
		if !strings.HasSuffix(agent.said, c.agent) || !strings.HasPrefix(result, c.result) {
			t.Errorf("%s: the agent says %q, the attacker %q", name, agent.said, result)
		}
		if holds := strings.HasPrefix(result, "tried true, held true"); holds && c.way == "mem" &&
			strings.HasSuffix(result, "found 0\n") {
			t.Errorf("%s: the attacker finds nothing in the memory that it holds: it would not in the keeper either", name)
		}
		want := 0
		if c.agent == traced {
			want = 3
		}
		if code := agent.end(); code != want {
			t.Errorf("%s: exit %d", name, code)
		}
	}
	code, said := a.run("sh", "-c", `ulimit -n 90; exec "$@"`, "sh", a.program, "probe", "--config", parts.Config())
	if code != 3 || !strings.Contains(said, "could read the keeper's memory: copy the program: ") ||
		!strings.Contains(said, "hint: have root own this program, with mode 0711") {
		t.Errorf("where the program cannot be copied: exit %d: %s", code, said)
	}
}

// keyOf is the newest key of an env provider's file.
func keyOf(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(text), env.Variable(2)+"=")
	key, err := hex.DecodeString(strings.TrimSpace(value))
	if err != nil || len(key) == 0 {
		t.Fatalf("%v: %d bytes", err, len(key))
	}
	return key
}

// gated is a process that becomes the program at a word.
type gated struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said string // its last line
}

func startGated(a *account, args ...string) *gated {
	g := &gated{t: a.t, cmd: a.command(append([]string{"sh", "-c", `read word; exec "$@"`, "sh"}, args...)...)}
	var err error
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		a.t.Fatal(err)
	}
	errs, err := g.cmd.StderrPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	g.out = bufio.NewReader(errs)
	if err := g.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	return g
}

// say gives a process a line.
func (g *gated) say(line string) {
	if _, err := io.WriteString(g.in, line+"\n"); err != nil {
		g.t.Error(err)
	}
}

// end ends it, if it has not ended, and returns its exit code.
func (g *gated) end() int {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, g.out)
	_ = g.cmd.Wait() // how it ended is in its state
	return g.cmd.ProcessState.ExitCode()
}

// attackOn lets a program begin while the attacker waits for it, has the attacker search for
// a text once the program has said a line, and returns what the attacker prints of it.
func attackOn(a *account, victim *gated, attacker, way, target string, text []byte) string {
	a.t.Helper()
	cmd := a.command(attacker, way, target, fmt.Sprint(victim.cmd.Process.Pid))
	in, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "watching\n" {
		a.t.Fatalf("the attacker: %q, %v", line, err)
	}
	victim.say("begin")
	if victim.said, err = victim.out.ReadString('\n'); err != nil {
		a.t.Errorf("the program ended: %v", err)
	}
	if _, err := fmt.Fprintln(in, hex.EncodeToString(text)); err != nil {
		a.t.Error(err)
	}
	result, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil {
		a.t.Errorf("the attacker: %v", err)
	}
	return string(result)
}
