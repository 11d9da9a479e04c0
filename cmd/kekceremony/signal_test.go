package main_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestStopAtThePIN ends the wizard while it reads the PIN, by SIGHUP and by
// ctrl+c: the terminal is as it was, the log's last line is valid, and the same
// command goes on.
func TestStopAtThePIN(t *testing.T) {
	pkcs11test.Module(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	command := fmt.Sprintf("%s rehearse --dir %s --provider pkcs11 --records 20", binary, parts.Dir)
	stop := func(how func(*pane)) *pane {
		p := newPane(t, fmt.Sprintf("stty -g; %s; echo EXIT $?; stty -g; cat", command))
		return stopped(t, p, how)
	}
	stop(func(p *pane) {
		p.enter("Path of the roster", parts.Roster())
		attendAll(p)
		p.enter("Provider to lock", "pkcs11")
		p.until("PIN of token")
		pkcs11test.Run(t, "pkill", "-HUP", "-f", "kekceremony install.*"+parts.Dir)
	})
	stop(func(p *pane) {
		attendAll(p)
		p.until("PIN of token")
		p.tmux("send-keys", "C-c")
		p.until("r try again")
		p.tmux("send-keys", "C-c")
		p.until("Stop here?")
		p.tmux("send-keys", "y")
	})
	must(t, "rehearse", "--ui", "none", "--dir", parts.Dir, "--provider", "pkcs11", "--records", "20")
	bundles, _ := filepath.Glob(filepath.Join(parts.Bundles(), "*"))
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
}

// attendAll signs everybody's attendance and answers what comes before the PIN.
func attendAll(p *pane) {
	for _, name := range rehearsal.Operators {
		p.enter(name+": type "+name, name)
	}
}

// stopped ends the program and compares the terminal's state.
func stopped(t *testing.T, p *pane, how func(*pane)) *pane {
	t.Helper()
	how(p)
	p.until("EXIT 75")
	modes := regexp.MustCompile(`(?m)^[0-9a-f]+:[0-9a-f:]+$`).FindAllString(p.tmux("capture-pane", "-p", "-J", "-S", "-200"), -1)
	if len(modes) < 2 || modes[0] != modes[len(modes)-1] {
		t.Errorf("the terminal's state before and after: %q\n%s", modes, p.screen())
	}
	_ = exec.Command("tmux", "-L", p.server, "kill-server").Run()
	return p
}
