package login

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider"
)

// TestPromptNamesToken: who types a PIN reads which token it is for, by its serial, and how to leave.
func TestPromptNamesToken(t *testing.T) {
	for _, c := range []struct {
		name  string
		tries provider.Tries
		how   PIN
		want  string
	}{
		{"one person", provider.Tries{Token: "kek", Serial: "99b0730b"}, PIN{},
			"\r\nCtrl+c cancels.\r\nPIN of token kek, serial 99b0730b: "},
		{"a part, in a rehearsal", provider.Tries{Token: "kek", Serial: "99b0730b"}, PIN{Parts: 2, Hint: "246810"},
			"\r\nCtrl+c cancels.\r\nPart 1 of 2 of the PIN of token kek, serial 99b0730b (rehearsal: 246810): "},
		{"after a wrong one", provider.Tries{Token: "kek", Warning: "one attempt failed"}, PIN{},
			"\r\nBeware: one attempt failed.\r\nCtrl+c cancels.\r\nPIN of token kek: "},
	} {
		if got := prompt(c.tries, c.how, 1); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
