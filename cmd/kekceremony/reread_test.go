package main_test

import (
	"regexp"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
)

// TestCorrectedConfiguration: the page of a refusal says what to do; r reads the configuration
// that somebody corrected meanwhile, and refuses one that is another ceremony's.
func TestCorrectedConfiguration(t *testing.T) {
	t.Parallel()
	parts := partsWith(t, t.TempDir(), pkcs11test.Module(t))
	const right, wrong = "token_label: " + rehearsal.TokenLabel, "token_label: misspelled"
	configure(t, parts, right, wrong)
	p := wizardOf(t, parts, "install")
	p.goOn(parts, regexp.MustCompile(`Hint: list the tokens with: pkcs11-tool --module MODULE -L`))
	configure(t, parts, wrong, right)
	configure(t, parts, "  pkcs11:", "  pin_parts: 2\n  pkcs11:")
	configure(t, parts, "\nfleet:", "\nchain: deadbeefdeadbeefdeadbeefdeadbeef\nfleet:")
	p.tmux("send-keys", "r")
	p.until("Refused: the configuration has changed in more than its sections")
	configure(t, parts, "\nchain: deadbeefdeadbeefdeadbeefdeadbeef", "")
	p.tmux("send-keys", "r")
	p.until("Part 1 of 2 of the PIN")
	p.tmux("send-keys", "C-c")
	p.until("s stop")
	p.givesUp()
	restored(t, p, 75)
}
