package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
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
	p.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", line)
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

// prompts are what the wizard asks in a rehearsal, and what is typed then: Enter takes
// what is proposed.
var prompts = []struct {
	asks   *regexp.Regexp
	answer func(match []string) string
}{
	{regexp.MustCompile(`PIN of token`), func([]string) string { return rehearsal.PIN }},
	{regexp.MustCompile(`\w+: type (\w+).* to sign`), func(m []string) string { return m[1] }},
	{regexp.MustCompile(`Press Enter to continue`), func([]string) string { return "" }},
	{questions, func([]string) string { return "" }},
	{regexp.MustCompile(`(?s)Write it down.*enter close`), func([]string) string { return "" }},
}

// questions are all that a rehearsal may ask, each with its field.
var questions = regexp.MustCompile(`(Path of the roster|Provider to lock|Where does this|Who authorized|Who is who|` +
	`Time on the wall clock,|bags opened|Independent witness|Where else|Planned end|bags closed|` +
	`Time on the wall clock now|Did anything deviate)(?s:.*)\n > `)

// tell passes the questions of the first or the last such page.
func (p *pane) tell(page string) {
	p.t.Helper()
	for _, question := range map[string][]string{
		"place": {"Where does this", "Who authorized", "Who is who", "Time on the wall clock", "bags opened",
			"Independent witness"},
		"leaving": {"bags closed", "Time on the wall clock now", "Did anything deviate"},
	}[page] {
		p.enter(question, "")
	}
}

var place = regexp.MustCompile(`kekceremony  (.*)`)

// goOn types what is asked, page after page, until the screen shows a page.
func (p *pane) goOn(parts rehearsal.Parts, page *regexp.Regexp) string {
	p.t.Helper()
	typed := ""
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	guard := time.After(90 * time.Second)
	for {
		s := p.screen()
		if page.MatchString(s) {
			return s
		}
		for _, q := range prompts {
			m := q.asks.FindStringSubmatch(s)
			if m == nil {
				continue
			}
			if now := place.FindString(s) + m[0]; now != typed { // else it was typed already
				typed = now
				if line := q.answer(m); line != "" {
					p.tmux("send-keys", "-l", line)
				}
				p.tmux("send-keys", "Enter")
			}
			break
		}
		select {
		case <-tick.C:
		case <-guard:
			p.t.Fatalf("never saw %s:\n%s", page, p.screen())
		}
	}
}
