package envelope_test

import (
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// TestKeyChanges: an element that is an envelope itself has no key among its parts. A re-wrap changes
// those: the data key, bound to the old one, would be lost with it.
func TestKeyChanges(t *testing.T) {
	for _, c := range []struct {
		path, key string
		want      error
	}{
		{"seeds[]", "wrapped_dek", envelope.ErrKeyChanges},
		{"seeds[]", "kek_version", envelope.ErrKeyChanges},
		{"seeds[]", "nonce", envelope.ErrKeyChanges},
		{"seeds[]", "id", nil},
		{"tokens[].secret", "provider", nil}, // of the token: github
	} {
		p := envelope.At("devices", c.path)
		p.Key = c.key
		if err := p.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s with key %s: %v", c.path, c.key, err)
		}
	}
}
