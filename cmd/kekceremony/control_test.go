package main_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// control is a client of tmux in control mode. It looks at a pane as often as a test
// likes: a process for each look would take more of the machine than what is tested.
type control struct {
	one sync.Mutex // command at a time
	in  io.Writer
	out *bufio.Reader
}

// newControl attaches to a server, and does not change the size of its window.
func newControl(t *testing.T, server string) *control {
	t.Helper()
	cmd := exec.Command("tmux", "-L", server, "-C", "attach-session", "-f", "ignore-size,no-output")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() }) // or the server has ended it
	return &control{in: in, out: bufio.NewReader(out)}
}

// ask is what tmux answers to a command.
func (c *control) ask(command string) (answer string, err error) {
	c.one.Lock()
	defer c.one.Unlock()
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return "", err
	}
	mark := "" // of our command's answer, at its beginning and its end
	for {
		line, err := c.out.ReadString('\n')
		if err != nil {
			return "", err
		}
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case mark == "" && word == "%begin" && strings.HasSuffix(rest, " 1\n"): // 0: what tmux itself was started with
			mark = rest
		case mark != "" && rest == mark && word == "%end":
			return answer, nil
		case mark != "" && rest == mark && word == "%error":
			return "", fmt.Errorf("tmux: %s: %s", command, answer)
		case mark != "":
			answer += line
		}
	}
}
