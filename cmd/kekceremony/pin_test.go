package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// typeAs types a line, as it is.
func (p *pane) typeAs(text string) {
	p.t.Helper()
	p.tmux("send-keys", "-l", text)
	p.tmux("send-keys", "Enter")
}

// TestFinalTry: a token that reports its final try gets one attempt, and only after M
// people have signed for it; no other command makes it (P01). The PIN is typed in two
// parts, by two custodians who do not see each other's screen.
func TestFinalTry(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts := partsWith(t, t.TempDir(), fault.Module)
	configure(t, parts, "  pkcs11:", "  pin_parts: 2\n  pkcs11:")
	p := wizardOf(t, parts, "install")
	p.goOn(parts, regexp.MustCompile(`Provider to lock`))
	fault.Set("pin-final")
	p.tmux("send-keys", "Enter")
	p.until("alice: type 1")
	if s := p.until("log in    token " + rehearsal.TokenLabel); !strings.Contains(s, "its final try") {
		t.Errorf("the plan does not name it:\n%s", s)
	}
	p.typeAs("1")
	p.until("bob: type 1")
	if n := fault.Count("login"); n != 0 {
		t.Errorf("%d attempts with one signature", n)
	}
	p.typeAs("1")
	p.enter("Signed 2, needed 2", "")
	p.until("Beware: the next wrong PIN locks it.")
	p.until("Part 1 of 2 of the PIN")
	p.typeAs(rehearsal.PIN[:2])
	if s := p.until("Part 2 of 2 of the PIN"); strings.Contains(s, "Part 1") {
		t.Errorf("the first custodian's screen is in sight:\n%s", s)
	}
	p.typeAs(rehearsal.PIN[2:])
	p.read()
	p.until("of 13  approve")
	if n := fault.Count("login"); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	fault.Set()
	p.goOn(parts, regexp.MustCompile(`EXIT 0`))
	bundle := bundlesOf(t, parts)[0]
	must(t, "transcript", "verify", bundle)
	plan := event(t, bundle, "plan", "approve-pin")["plan"]
	if !strings.Contains(plan, "its final try; undo: none: the next wrong PIN locks it\n") {
		t.Errorf("the plan of the try:\n%s", plan)
	}
	if swap := event(t, bundle, "found", "pin")["swap"]; swap != secret.Swap() {
		t.Errorf("the transcript says of swap %q", swap)
	}

	fault.Set("pin-final")
	for _, args := range [][]string{
		{"probe", "--config", parts.Config(), "--ui", "none"},
		unattended(parts, "rotate", "--to-version", "2"),
	} {
		if code, _, errs := run(t, args...); code != 3 ||
			!strings.Contains(errs, "CKF_USER_PIN_FINAL_TRY: the next wrong PIN locks it") ||
			!strings.Contains(errs, "hint: run a ceremony, in which M operators approve the try") {
			t.Errorf("%s: exit %d\n%s", args[0], code, errs)
		}
	}
	if n := fault.Count("login"); n != 1 {
		t.Errorf("%d attempts in the end, want 1", n)
	}
}

// TestOwnCount: SoftHSM2 never says that a PIN is at its final try. Of three attempts
// the third needs M signatures, in whichever run it comes; a right PIN resets the count.
func TestOwnCount(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts := partsWith(t, t.TempDir(), fault.Module)
	p := wizardOf(t, parts, "install")
	p.until("Path of the roster")
	p.typeAs("")
	p.until("Nobody attends yet (install needs everybody)   quorum 2 of 3")
	p.goOn(parts, regexp.MustCompile(`PIN of token`))
	p.typeAs("111111")
	p.until("attempts failed: 1 of at most 3")
	hint := p.until("The refusal is in the transcript, the PIN is not.")
	if !strings.Contains(hint, "type the right one") || strings.Contains(hint, ".refused") {
		t.Errorf("the hint at a PIN that was typed:\n%s", hint)
	}
	p.givesUp()
	restored(t, p, 3)

	p = wizardOf(t, parts, "install")
	p.until("alice: type alice to sign")
	p.until("Nobody attends yet (install needs everybody)   quorum 2 of 3") // of this run
	p.goOn(parts, regexp.MustCompile(`Beware: attempts failed: 1; a token may allow no more than 3`))
	p.typeAs("222222")
	p.until("attempts failed: 2 of at most 3")
	p.tmux("send-keys", "r")
	p.until("log in    token " + rehearsal.TokenLabel)
	if n := fault.Count("login"); n != 2 {
		t.Errorf("%d attempts before the last is approved, want 2", n)
	}
	p.goOn(parts, regexp.MustCompile(`bob: type 1`))
	p.goOn(parts, regexp.MustCompile(`Beware: `))
	p.typeAs(rehearsal.PIN)
	p.goOn(parts, regexp.MustCompile(`alice: type followed`))
	if s := p.screen(); !strings.Contains(s, "Version 1 was generated and is active") ||
		!strings.Contains(s, "No deviations are recorded. If you saw one, type deviations and say which.") {
		t.Errorf("those who sign the end do not see what was done:\n%s", s)
	}
	for _, name := range rehearsal.Operators {
		p.enter(name+": type followed", "deviations")
		p.enter(name+": what deviated from the steps?", "two PINs were wrong")
	}
	p.enter("Signed 3, needed", "")
	p.until("carol signed deviations: two PINs were wrong.")
	p.goOn(parts, regexp.MustCompile(`EXIT 0`))
	left, _ := filepath.Glob(filepath.Join(parts.Bundles(), ".attempts-*")) // the pattern is right
	if info, err := os.Stat(left[0]); err != nil || info.Size() != 0 {
		t.Errorf("after a right PIN the count is not 0: %v, %v", info, err)
	}
}

// TestKeypad: a token with a keypad gets no PIN from here, and the page says so (P03).
func TestKeypad(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts := partsWith(t, t.TempDir(), fault.Module)
	pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--login", "--pin", rehearsal.PIN, "--change-pin",
		"--new-pin", pkcs11test.PIN)
	p := wizardOf(t, parts, "install")
	p.goOn(parts, regexp.MustCompile(`Provider to lock`))
	fault.Set("pin-path", "Login=1:wait")
	p.tmux("send-keys", "Enter")
	p.until("UTC: enter the PIN at the keypad of token")
	fault.Set("pin-path") // somebody entered it
	if s := p.until("of 13  probe"); strings.Contains(s, "keypad") {
		t.Errorf("it still waits:\n%s", s)
	}
	if n := fault.Count("login"); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
}

// TestKilledAtPIN: whatever ends the wizard while somebody types, the terminal echoes
// afterwards: the keeper, which reads, puts it back.
func TestKilledAtPIN(t *testing.T) {
	t.Parallel()
	parts := partsWith(t, t.TempDir(), pkcs11test.Module(t))
	for name, code := range map[string]int{"KILL": 137, "QUIT": 75, "TERM": 75} {
		dir := t.TempDir()
		p := newPane(t, fmt.Sprintf("stty -g > %[1]s/before; %[2]s install --config %[3]s; echo EXIT $?; "+
			"until [ -e %[1]s/ended ]; do sleep 0.1; done; stty -g > %[1]s/after; echo LOOKED; cat",
			dir, binary, parts.Config()))
		p.goOn(parts, regexp.MustCompile(`PIN of token`))
		wizard := pidOf(t, "^"+binary+" install .*"+parts.Dir)
		keeper := keeperOf(t, wizard)
		pkcs11test.Run(t, "kill", "-"+name, strconv.Itoa(wizard))
		p.until(fmt.Sprintf("EXIT %d", code))
		if !await(func() bool { return syscall.Kill(keeper, 0) != nil }) { // it ends after the wizard
			t.Fatalf("SIG%s: the keeper continues", name)
		}
		if err := os.WriteFile(filepath.Join(dir, "ended"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p.until("LOOKED")
		before, err := os.ReadFile(filepath.Join(dir, "before"))
		after, afterErr := os.ReadFile(filepath.Join(dir, "after"))
		if err != nil || afterErr != nil || string(before) != string(after) {
			t.Errorf("SIG%s: the terminal's state before and after: %q, %q, %v", name, before, after, errors.Join(err, afterErr))
		}
		p.end()
	}
}
