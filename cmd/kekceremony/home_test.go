package main_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestAtHome: the bare command on a terminal is a home page. What is chosen there is the command that it
// shows, with the same flags; below its result Enter leads back, and q ends with its exit code. q on the
// page begins nothing. Elsewhere the bare command is the status.
func TestAtHome(t *testing.T) {
	t.Parallel()
	parts, _ := rehearse(t, "--provider", "env", "--records", "6")
	bundles := bundlesOf(t, parts)
	p := newPane(t, fmt.Sprintf("TMPDIR=%s CERTAUTOPILOT_FLEET_LIVE=5s %s --config %s; echo EXIT $?; cat", t.TempDir(),
		binary, parts.Config()))
	for _, c := range []struct{ choice, runs, says string }{
		{"Show the status in full", binary + " status --config " + parts.Config(), "final      "},
		{"Verify transcript 20", binary + " transcript verify " + bundles[1], "good"},
	} {
		p.until("Ceremonies")
		if s := p.choose(c.choice); !strings.Contains(s, "runs  "+binary) || !strings.Contains(unfolded(s), c.runs) {
			t.Errorf("%s:\n%s", c.choice, s)
		}
		p.tmux("send-keys", "Enter")
		p.until(c.says)
		p.leaves("")
	}
	p.until("Ceremonies")
	p.choose("Rehearse") // it forgets what the environment sets for the real parts
	p.tmux("send-keys", "Enter")
	p.until("Path of the roster")
	p.tmux("send-keys", "C-c", "y")
	p.leaves("")
	p.until("set by     CERTAUTOPILOT_FLEET_LIVE")
	p.choose("Rotate to version 3")
	p.tmux("send-keys", "Enter")
	p.until("Open this ceremony?")
	p.tmux("send-keys", "y")
	p.until("step 2 of ")
	p.tmux("send-keys", "C-c", "y")
	p.leaves("")
	s := p.until("► Continue: ceremony 3, rotate, is not finished")
	for _, says := range []string{"all others wait until ceremony 3 is finished", "Abort ceremony 3, rotate"} {
		if !strings.Contains(s, says) || strings.Contains(s, "Change the roster") {
			t.Errorf("with an unfinished ceremony:\n%s", s)
		}
	}
	p.tmux("send-keys", "Enter") // it starts the applications of the rehearsal, whose rehearse ended long ago
	p.goOn(parts, regexp.MustCompile(`3 of 3 live processes`))
	p.tmux("send-keys", "C-c", "y")
	p.leaves("q")
	p.until("EXIT 75")
	p = newPane(t, fmt.Sprintf("%s --config %s; echo EXIT $?; cat", binary, parts.Config()))
	p.until("Ceremonies")
	p.tmux("send-keys", "q")
	p.until("EXIT 0")
	p = newPane(t, fmt.Sprintf("trap : INT; %s --config %s; echo EXIT $?; while :; do cat; done", binary, parts.Config()))
	p.until("Ceremonies")
	p.tmux("send-keys", "-l", "\x1b[200~a paste whose end is lost")
	if !await(func() bool { p.tmux("send-keys", "C-c"); return strings.Contains(p.screen(), "EXIT 0") }) {
		t.Errorf("ctrl+c is dead after a paste without an end:\n%s", p.screen())
	}
	p = newPane(t, fmt.Sprintf("run() { %s --config %s; }; TERM=dumb run; ACCESSIBLE=1 run; stty cols 0 rows 0; run; "+
		"echo EXIT $?; cat", binary, parts.Config()))
	if s = p.until("EXIT 0"); strings.Contains(s, "Ceremonies") { // no screen reader follows a page
		t.Errorf("without a page:\n%s", s)
	}
	if out := must(t, "--config", parts.Config()); out != must(t, "status", "--config", parts.Config()) {
		t.Errorf("off a terminal:\n%s", out)
	}
}

// leaves types an answer to the question below what a command printed: the last line of the screen.
func (p *pane) leaves(answer string) {
	p.t.Helper()
	if !await(func() bool { return strings.HasSuffix(strings.TrimSpace(p.screen()), "type q and Enter to quit:") }) {
		p.t.Fatalf("no way back:\n%s", p.screen())
	}
	p.tmux("send-keys", answer, "Enter")
}

// unfolded is a screen with the rows of a command in one.
func unfolded(screen string) string {
	return regexp.MustCompile(`( \\)?[ │]*\n[ │]*`).ReplaceAllStringFunc(screen, func(end string) string {
		return " "[:min(1, strings.Count(end, `\`))]
	})
}

// choose goes down until a choice is the one that Enter begins.
func (p *pane) choose(choice string) (screen string) {
	p.t.Helper()
	for s := p.screen(); !strings.Contains(s, "► "+choice); s = p.screen() {
		p.tmux("send-keys", "Down")
		if !await(func() bool { return p.screen() != s }) {
			p.t.Fatalf("never saw %s:\n%s", choice, s)
		}
	}
	return p.screen()
}
