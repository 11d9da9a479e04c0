package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// pane is a real terminal of 80x24 in tmux.
type pane struct {
	t       *testing.T
	server  string
	session string // its number
	control *control
}

var panes atomic.Int32

// newPane runs a shell line in a pane of its own server.
func newPane(t *testing.T, line string) *pane {
	t.Helper()
	pkcs11test.Need(t, "tmux")
	// Of its own name: a server of the same name may still be on its way out.
	p := &pane{t: t, server: fmt.Sprintf("kek-%d-%d", os.Getpid(), panes.Add(1))}
	t.Cleanup(p.end)
	p.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", line)
	p.control = newControl(t, p.server)
	p.session = strings.TrimSpace(p.tmux("display-message", "-p", "#{pane_pid}"))
	return p
}

// end hangs up, and waits until whatever ran in the pane has ended: it may still write
// into the directories of the test.
func (p *pane) end() {
	_ = exec.Command("tmux", "-L", p.server, "kill-server").Run() // or it has ended
	if p.session != "" && !await(func() bool { return exec.Command("pgrep", "-s", p.session).Run() != nil }) {
		p.t.Errorf("processes of session %s continue", p.session)
	}
}

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-L", p.server}, args...)...)
	cmd.Env = append(pkcs11test.Environ(p.t), "LC_ALL=C.UTF-8") // the first one starts the server, and what is in the pane
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (p *pane) screen() string {
	p.t.Helper()
	s, err := p.control.ask("capture-pane -p")
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// until polls the screen for a text.
func (p *pane) until(text string) string {
	p.t.Helper()
	s := ""
	if !await(func() bool { s = p.screen(); return strings.Contains(s, text) }) {
		p.t.Fatalf("never saw %q:\n%s", text, s)
	}
	return s
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
	{regexp.MustCompile(`Press Enter to continue|press Enter for the rest`), func([]string) string { return "" }},
	{questions, func([]string) string { return "" }},
	{regexp.MustCompile(`(?is)write it down.*enter (close|next ceremony)`), func([]string) string { return "" }},
}

// questions are all that a rehearsal may ask, each with its field.
var questions = regexp.MustCompile(`(Path of the roster|Provider to lock|Where does this|Who authorized|Who is who|` +
	`Time on the wall clock,|bags opened|Independent witness|Where else|Planned end|bags closed|` +
	`Time on the wall clock now|Deviations from the steps)(?s:.*)\n[│|] +> `)

// fill passes the questions of the first or the last such page.
func (p *pane) fill(page string) {
	p.t.Helper()
	for _, question := range map[string][]string{
		"place": {"Where does this", "Who authorized", "Who is who", "Time on the wall clock", "bags opened",
			"Independent witness"},
		"leaving": {"bags closed", "Time on the wall clock now", "Deviations from the steps"},
	}[page] {
		p.enter(question, "")
	}
}

// fillReported answers what is asked at the end of a ceremony of which a deviation is recorded: the page has it, and
// proposes nothing.
func (p *pane) fillReported() {
	p.t.Helper()
	p.enter("bags closed", "")
	p.enter("Time on the wall clock now", "")
	p.until("deviation 1  ")
	p.enter("Deviations from the steps that are not recorded yet", "")
	p.correct("refused: an answer is needed", "none")
}

var place = regexp.MustCompile(`[─-] .*step .*`)

// goOn types what is asked, page after page, until the screen shows a page.
func (p *pane) goOn(parts rehearsal.Parts, page *regexp.Regexp) string {
	p.t.Helper()
	typed, s := "", ""
	there := func() bool {
		before := s
		if s = p.screen(); page.MatchString(s) {
			return true
		}
		if s != before { // half of it may be of the page before
			return false
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
		return false
	}
	if !await(there) {
		p.t.Fatalf("never saw %s:\n%s", page, s)
	}
	return s
}
