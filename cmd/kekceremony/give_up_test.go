package main_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestGiveUpWizard: a console is killed in an install with the wrong roster. People see that its
// file was corrected since, first stop and then continue, and then somebody gives up.
func TestGiveUpWizard(t *testing.T) {
	t.Parallel()
	parts := partsWith(t, t.TempDir(), pkcs11test.Module(t))
	killed := func(p *pane) {
		t.Helper()
		p.until("alice: type alice")
		if err := syscall.Kill(pidOf(t, "^"+binary+" install .*"+parts.Dir), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.until("EXIT 137")
		p.end()
	}
	p := wizardOf(t, parts, "install")
	p.enter("Path of the roster", "")
	killed(p)
	roster, err := os.ReadFile(parts.Roster())
	if err := errors.Join(err, os.WriteFile(parts.Roster(), append(roster, "# corrected\n"...), 0o600)); err != nil {
		t.Fatal(err)
	}
	before := must(t, "transcript", "list", "--config", parts.Config())

	p = wizardOf(t, parts, "install")
	p.until("Nothing is written yet. To begin again with what is there now")
	p.givesUp()
	restored(t, p, 3)

	p = wizardOf(t, parts, "install")
	p.until("Nothing is written yet.")
	p.tmux("send-keys", "d")
	p.enter("Why do you continue?", "a comment changed nothing")
	killed(p)
	log := event(t, strings.TrimSpace(before), "deviation", "roster")
	if log["what"] != "roster" || log["decided"] != "a comment changed nothing" {
		t.Errorf("the deviation is %v", log)
	}

	p = wizardOf(t, parts, "abort")
	p.enter("Who gives this install up?", "alice, operator")
	p.enter("Why?", "the roster was wrong")
	if end := p.enter("enter close", ""); !strings.Contains(end, "Given up by alice, operator: the roster was wrong.") {
		t.Errorf("the last page:\n%s", end)
	}
	restored(t, p, 0)
	after := must(t, "transcript", "list", "--config", parts.Config())
	want := strings.TrimSpace(before) + "-void  void: given up by alice, operator: the roster was wrong\n"
	if after != want {
		t.Errorf("listed are %s, want %s", after, want)
	}
	must(t, unattended(parts, "install")...)
}
