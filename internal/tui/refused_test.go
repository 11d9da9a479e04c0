package tui

import (
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// TestRefusedWordStays: a word that is refused stays in its field, with its refusal beneath, and the same
// person is asked, also one who signs here after all. Typing replaces it; what may be a PIN is discarded.
func TestRefusedWordStays(t *testing.T) {
	p := newPage(t)
	r := rotation("")
	for i := range r.Signers {
		r.Signers[i].Offline = "ssh-keygen -Y sign"
	}
	words := p.consents(r)
	p.rest()
	p.press("tab", "tab")
	p.shows("carol: type 2, the version, to sign here after all", true)
	p.press("wrong", "enter")
	came(p, words, engine.Consent{Signer: "carol", Word: "wrong"}, nil)

	r.Note = "not the word; carol types: 2"
	words = p.consents(r)
	page := p.View()
	at := strings.Index(page, "carol: type 2, the version, to sign here after all > wrong_")
	if beneath := strings.Index(page, "refused: not the word; carol types: 2"); at < 0 || beneath < at {
		t.Errorf("the word, and its refusal beneath:\n%s", page)
	}
	p.press("2")
	p.shows("after all > 2_", true)
	p.shows("refused", false)
	p.press("enter")
	came(p, words, engine.Consent{Signer: "carol", Word: "2"}, nil)

	words = p.consents(r)
	p.press("backspace", "backspace", "246810", "enter") // an edit, then a PIN
	came(p, words, engine.Consent{Signer: "carol", Word: "246810"}, nil)
	words = p.consents(r)
	p.shows("carol: type 2", true)
	p.shows("246810", false)
	p.press("2", "enter")
	came(p, words, engine.Consent{Signer: "carol", Word: "2"}, nil)
}
