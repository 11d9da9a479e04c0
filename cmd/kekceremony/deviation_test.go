package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestWizardDeviation: the module is another one than the last ceremony saw. The
// wizard refuses it, takes a reason, and shows the plan in which it stands.
func TestWizardDeviation(t *testing.T) {
	t.Parallel()
	parts, _ := rehearse(t, "--provider", "pkcs11", "--records", "6")
	pkcs11test.Setenv(t, "SOFTHSM2_CONF", parts.Token())
	module, err := os.ReadFile(pkcs11test.Module(t))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(other, append(module, 'x'), 0o755); err != nil { // the loader does not see what follows
		t.Fatal(err)
	}
	configure(t, parts, pkcs11test.Module(t), other)
	w := newPane(t, fmt.Sprintf("%s generate --version 3 --config %s; echo EXIT $?; cat", binary, parts.Config()))
	w.enter("alice: type alice", "alice")
	w.enter("bob: type bob", "bob")
	w.until("Signed 2, needed 2")
	w.compare("y", "n") // the last digest does not match for bob: enough have signed, and nothing goes on
	w.tmux("send-keys", "Escape")
	w.enter("Press Enter to continue", "")
	w.until("refused: bob said that the digest does not match; compare it again, or stop")
	w.compare("y")
	w.tmux("send-keys", "Escape")
	w.enter("Press Enter to continue", "")
	w.fill("place")
	refused := w.until("d  continue with a deviation")
	if !strings.Contains(refused, "Refused: module_sha256: was") ||
		!strings.Contains(refused, "your reason is recorded") {
		t.Errorf("the page of the deviation:\n%s", refused)
	}
	w.tmux("send-keys", "d")
	w.enter("Why do you continue?", "2468 10") // perhaps a PIN: it would be in the transcript
	// Before the module gets a PIN.
	w.enter("refused: this may be a PIN, and was discarded", "vendor update, ticket 12")
	w.enter("PIN of token", rehearsal.PIN)
	w.read()
	w.enter("alice: type 3", "3")
	w.until("Signed 1, needed 2")
	w.deviation("C-x", "three came", "two came", "went on", "alice and bob") // the approval stays good
	// the digest of the plan does not match for bob: nobody signs it
	w.compare("y", "n")
	w.tmux("send-keys", "Escape")
	w.enter("bob: type 3", "3")
	w.until("refused: bob said that the digest does not match; compare it again, or stop")
	w.compare("y")
	w.until("alice: matches, bob: matches")
	w.enter("bob: type 3", "3")
	w.enter("Signed 2, needed 2", "")
	w.read()
	w.read("canary 3 sha256")
	w.enter("Where else", "")
	w.enter("Planned end", "")
	w.fillReported()
	w.enter("alice: type followed", "deviations")
	w.until("Read the rest first, with pgdn") // the word stays
	w.tmux("send-keys", "NPage", "Enter")
	w.enter("alice: what deviated from the steps?", "")
	w.correct("refused: an answer is needed", "no third person came")
	w.enter("bob: type followed", "deviations")
	w.enter("bob: what deviated from the steps?", "η πόρτα was open")
	w.enter("Signed 2, needed 2", "")
	end := w.enter("enter close", "")
	w.until("EXIT 0")
	if !strings.Contains(end, "Deviations: 2, each in the transcript.") {
		t.Errorf("the last page:\n%s", end)
	}
	bundles := bundlesOf(t, parts)
	if d := event(t, bundles[2], "deviation", "approve-key"); d["expected"] != "three came" || d["seen"] != "two came" ||
		d["decided"] != "went on" || d["by"] != "alice and bob" {
		t.Errorf("what was reported: %v", d)
	}
	if c := event(t, bundles[2], "noted", "approve-key"); c["by"] != "bob" || c["matches"] != "yes" ||
		c["compared"] != event(t, bundles[2], "plan", "approve-key")["sha256"] {
		t.Errorf("what was compared: %v", c)
	}
	out := must(t, "transcript", "verify", bundles[2])
	if !strings.Contains(out, "decided: vendor update, ticket 12") ||
		!strings.Contains(out, "alice (deviations), bob (deviations)") ||
		!strings.Contains(out, "words   alice: no third person came\n  words   bob: ") {
		t.Errorf("the verdict:\n%s", out)
	}
}

// deviation reports one, on any page: the key, what was expected, seen and decided, and by whom.
func (p *pane) deviation(key string, parts ...string) {
	p.t.Helper()
	p.tmux("send-keys", key)
	questions := []string{"What did you expect?", "What did you see?", "What was decided?", "Who decided it?"}
	for i, question := range questions {
		p.enter(question, parts[i])
	}
}

// compare has the next people say whether the digest on the page matches.
func (p *pane) compare(answers ...string) {
	p.t.Helper()
	p.until("to sign >") // a page that is new takes no key
	p.tmux("send-keys", "C-y")
	for _, answer := range answers {
		s := p.until("does all of it match?")
		p.tmux("send-keys", answer)
		if !await(func() bool { return p.screen() != s }) {
			p.t.Fatalf("%s does nothing:\n%s", answer, s)
		}
	}
	if s := p.screen(); strings.Contains(s, "matches for everybody") {
		p.tmux("send-keys", "Enter")
	}
}
