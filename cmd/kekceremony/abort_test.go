package main_test

import (
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// TestAbortPages: somebody stops a rotation in its attendance and aborts it. The pages say that it is
// an abort, what was done, and of nobody that they are in the room who has not said so.
func TestAbortPages(t *testing.T) {
	t.Parallel()
	needHostName(t)
	s := newScene(t, t.TempDir(), binary, quorum.Rehearsal)
	s.emptyStore()
	s.run("install")
	p := s.wizard("rotate", "--to-version", "2")
	attend(p, "alice", "bob")
	if page := p.until("Where does this"); !strings.Contains(page, "In the room: alice, bob") {
		t.Errorf("who attends is not in the room:\n%s", page)
	}
	p.tmux("send-keys", "C-c")
	p.until("Stop here?")
	p.tmux("send-keys", "y")
	p.until("EXIT 75")
	p.end()

	p = s.wizard("abort")
	if page := p.until("alice: type alice"); !strings.Contains(page, "abort of rotate 1") ||
		!strings.Contains(page, "Nobody attends yet   quorum 2 of 2") {
		t.Errorf("the first page of the abort:\n%s", page)
	}
	attend(p, "alice", "bob")
	page := p.until("alice: type followed")
	for _, says := range []string{"abort of rotate 1", "Sign the abort", "ends as this page says",
		"Aborted. Done before: none. Begun and not done: none."} {
		if !strings.Contains(strings.NewReplacer("│\n│", "").Replace(page), says) {
			t.Errorf("the page does not say %q:\n%s", says, page)
		}
	}
	p.enter("alice: type followed", "disagree") // the digest is theirs all the same, to be written down
	p.enter("alice: why do you disagree?", "nobody told us")
	p.enter("bob: type followed", "disagree")
	p.enter("bob: why do you disagree?", "nobody told us")
	p.enter("Signed 2, needed", "")
	if end := p.enter("enter close", ""); !strings.Contains(end, "Final digest") {
		t.Errorf("the last page:\n%s", end)
	}
	if said := p.until("EXIT 5"); !strings.Contains(said, "final digest  ") {
		t.Errorf("what stays on the terminal:\n%s", said)
	}
}

// TestAbortAfterCrash: a ceremony that ended in its probe and was aborted pins nothing:
// the next one needs no deviation.
func TestAbortAfterCrash(t *testing.T) {
	t.Parallel()
	fault := pkcs11test.NewFault(t)
	parts, a := swiftWith(t, t.TempDir(), fault.Module, 12)
	fault.Set("EncryptInit=5:segv")
	if code, _, errs := run(t, rotateTo(parts, 2)...); code != 75 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	fault.Set()
	must(t, unattended(parts, "abort")...)
	must(t, rotateTo(parts, 2)...)
	whole(t, parts, a, 12)
}
