package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// hangUp ends the wizard, and only it, as a lost line does.
func hangUp(p *pane, parts rehearsal.Parts) {
	pkcs11test.Run(p.t, "pkill", "-HUP", "-f", "kekceremony (install|rotate) .*"+parts.Dir)
}

// terminate asks the wizard to end, and again before it has.
func terminate(p *pane, parts rehearsal.Parts) {
	pid := strings.TrimSpace(string(pkcs11test.Run(p.t, "pgrep", "-f", "kekceremony (install|rotate) .*"+parts.Dir)))
	pkcs11test.Run(p.t, "sh", "-c", "kill -TERM $0; kill -TERM $0 || true", pid)
}

func stop(p *pane, _ rehearsal.Parts) {
	p.tmux("send-keys", "C-c")
	p.until("Stop here?")
	p.tmux("send-keys", "y")
}

// givesUp stops at a step that failed.
func (p *pane) givesUp() {
	p.t.Helper()
	p.tmux("send-keys", "s")
	p.until("Stop here?")
	p.tmux("send-keys", "y")
}

// stopPIN: at the PIN the terminal is in other hands, and ctrl+c first gives it back.
func stopPIN(p *pane, parts rehearsal.Parts) {
	p.tmux("send-keys", "C-c")
	p.until("r try again")
	stop(p, parts)
}

// configure replaces one text of a rehearsal's configuration by another.
func configure(t *testing.T, parts rehearsal.Parts, old, text string) {
	t.Helper()
	config, err := os.ReadFile(parts.Config())
	if err != nil || !strings.Contains(string(config), old) {
		t.Fatalf("no %q in the configuration, %v", old, err)
	}
	if err := os.WriteFile(parts.Config(), []byte(strings.Replace(string(config), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prepare has a page stay long enough to be stopped on: the probe takes less
// than a frame unless the token is slow, and the fleet lacks nothing.
func prepare(t *testing.T, page string, parts rehearsal.Parts, fault *pkcs11test.Fault) {
	switch page {
	case "attendance": // the parts are there by now
		configure(t, parts, pkcs11test.Module(t), fault.Module)
		fault.Set("slow")
	case "copies":
		fault.Set()
	case "fleet":
		configure(t, parts, "app: 3", "app: 4")
	case "approval of the rotation":
		configure(t, parts, "app: 4", "app: 3")
	}
}

// stopPage is a page on which a ceremony is stopped, and how.
type stopPage struct {
	name, shows string
	how         func(*pane, rehearsal.Parts)
}

// TestStopOnEveryPage stops a rehearsal on each page of its install in turn, see stopOn.
func TestStopOnEveryPage(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts := rehearsal.Parts{Dir: filepath.Join(t.TempDir(), "r")}
	stopOn(t, parts, fault, []stopPage{
		{"roster", `Path of the roster`, stop},
		{"roster, SIGTERM twice", `Path of the roster`, terminate},
		{"attendance", `of \d+  attend(?s:.*)type bob`, stop},
		{"place", `Who is who`, stop},
		{"provider", `Provider to lock`, stop},
		{"PIN, SIGHUP", `PIN of token`, hangUp},
		{"PIN", `PIN of token`, stopPIN},
		{"probe", `of 13  probe`, stop},
		{"approval", `of 13  approve(?s:.*)bob: type 1`, stop},
		{"key generation", `of 13  generate`, stop},
		{"copies", `Where else`, stop},
		{"leaving", `Deviations from the steps`, stop},
		{"finals", `of 13  finals(?s:.*)bob: type`, stop},
	})
}

// stopOn stops one rehearsal on pages in turn. Each time the terminal is as it was and
// the transcript is sound as far as it goes; the same command continues, and at the end
// everything is at version 2.
func stopOn(t *testing.T, parts rehearsal.Parts, fault *pkcs11test.Fault, pages []stopPage) {
	t.Helper()
	args := []string{"rehearse", "--only", "install,rotate",
		"--dir", parts.Dir, "--provider", "pkcs11", "--records", "200", "--rate", "20"}
	for _, page := range pages {
		prepare(t, page.name, parts, fault)
		ok := t.Run(page.name, func(t *testing.T) {
			p := newPane(t, fmt.Sprintf("stty -g; %s %s; echo EXIT $?; stty -g; echo LOOKED; cat", binary, shell(args)))
			p.goOn(parts, regexp.MustCompile(page.shows))
			page.how(p, parts)
			restored(t, p, 75)
			bundles := bundlesOf(t, parts)
			if code, out, _ := run(t, "transcript", "verify", bundles[len(bundles)-1]); code != 5 {
				t.Errorf("the transcript so far: exit %d, want 5\n%s", code, out)
			}
		})
		if !ok {
			return
		}
	}
	must(t, append(args, "--ui", "none")...)
	bundles := bundlesOf(t, parts)
	must(t, append([]string{"transcript", "verify"}, bundles...)...)
	zeroAt(t, parts, 2)
}

func shell(args []string) (line string) {
	for _, a := range args {
		line += " " + a
	}
	return line
}

// restored waits for the program's end, and compares the terminal's state.
func restored(t *testing.T, p *pane, code int) {
	t.Helper()
	p.until(fmt.Sprintf("EXIT %d", code))
	p.sameState()
	p.end()
}

var sttyState = regexp.MustCompile(`(?m)^[0-9a-f]+:[0-9a-f:]+$`)

// sameState compares what stty printed of the terminal before the program and after it,
// once the pane's line says that it looked.
func (p *pane) sameState() {
	p.t.Helper()
	p.until("LOOKED")
	states := sttyState.FindAllString(p.tmux("capture-pane", "-p", "-J", "-S", "-200"), -1)
	if len(states) != 2 || states[0] != states[1] {
		p.t.Errorf("the terminal's state before and after: %q\n%s", states, p.screen())
	}
}
