package main_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestAtHome: the bare command on a terminal is a home page. What is chosen there is the command that it
// shows, with the same flags; q begins nothing. Elsewhere the bare command is the status.
func TestAtHome(t *testing.T) {
	t.Parallel()
	parts, _ := rehearse(t, "--provider", "env", "--records", "6")
	bundles := bundlesOf(t, parts)
	for _, c := range []struct {
		choice string
		runs   string
		says   string
	}{
		{"Show the status in full", "kekceremony status", "final      "},
		{"Verify 20", "kekceremony transcript verify " + bundles[1], "good"},
		{"Rotate to version 3", "kekceremony rotate --to-version 3", "step 2 of "},
		{"", "", "EXIT 0"}, // q
	} {
		p := newPane(t, fmt.Sprintf("%s --config %s; echo EXIT $?; cat", binary, parts.Config()))
		p.until("Ceremonies")
		if c.choice == "" {
			p.tmux("send-keys", "q")
		} else if s := p.choose(c.choice); !strings.Contains(s, "runs  "+c.runs[:min(len(c.runs), 60)]) {
			t.Errorf("%s:\n%s", c.choice, s)
		} else {
			p.tmux("send-keys", "Enter")
		}
		p.until(c.says)
	}
	p := newPane(t, fmt.Sprintf("run() { %s --config %s; }; TERM=dumb run; ACCESSIBLE=1 run; stty cols 0 rows 0; run; "+
		"echo EXIT $?; cat", binary, parts.Config()))
	if s := p.until("EXIT 0"); strings.Contains(s, "Ceremonies") { // no screen reader follows a page
		t.Errorf("without a page:\n%s", s)
	}
	if out := must(t, "--config", parts.Config()); out != must(t, "status", "--config", parts.Config()) {
		t.Errorf("off a terminal:\n%s", out)
	}
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
