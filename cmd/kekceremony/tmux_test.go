package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// pane is a real terminal of 80x24 in tmux.
type pane struct {
	t      *testing.T
	server string
}

var panes atomic.Int32

// newPane runs a shell line in a pane of its own server.
func newPane(t *testing.T, line string) *pane {
	t.Helper()
	pkcs11test.Need(t, "tmux")
	// Of its own name: a server of the same name may still be on its way out.
	p := &pane{t, fmt.Sprintf("kek-%d-%d", os.Getpid(), panes.Add(1))}
	t.Cleanup(func() { _ = exec.Command("tmux", "-L", p.server, "kill-server").Run() })
	p.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", line)
	return p
}

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-L", p.server}, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (p *pane) screen() string { p.t.Helper(); return p.tmux("capture-pane", "-p") }

// until polls the screen for a text.
func (p *pane) until(text string) string {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	guard := time.After(90 * time.Second)
	for {
		if s := p.screen(); strings.Contains(s, text) {
			return s
		}
		select {
		case <-tick.C:
		case <-guard:
			p.t.Fatalf("never saw %q:\n%s", text, p.screen())
		}
	}
}

// enter waits for a text and types a line.
func (p *pane) enter(text, line string) string {
	p.t.Helper()
	s := p.until(text)
	if line != "" {
		p.tmux("send-keys", "-l", line)
	}
	p.tmux("send-keys", "Enter")
	return s
}
