package keyring_test

import (
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/keyring"
)

// TestCompromise: from the ceremony on, an application seals nothing with the compromised version, and
// reads on. After the rotation it seals again, and reseals.
func TestCompromise(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.open(keyring.Config{})
	old, err := r.Seal(t.Context(), place, "a", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("a", old)
	if err := h.run(steps.Compromise(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Seal(t.Context(), place, "b", nil); !errors.Is(err, keyring.ErrCompromised) {
		t.Errorf("sealed: %v", err)
	}
	if _, err := r.Reseal(t.Context(), place, "a", old); !errors.Is(err, keyring.ErrCompromised) {
		t.Errorf("resealed: %v", err)
	}
	opens := func(e keyring.Envelope) {
		t.Helper()
		if text, err := r.Open(t.Context(), place, "a", e); err != nil || string(text) != "secret" {
			t.Errorf("opened: %q, %v", text, err)
		}
	}
	opens(old)
	if s := r.Status(); s.Trouble != keyring.ErrCompromised.Error() || len(s.Held) != 1 {
		t.Errorf("%+v", s)
	}
	if err := h.run(steps.Rotate(steps.Rotation{To: 2})); err != nil {
		t.Fatal(err)
	}
	rewrapped := h.read("a")
	opens(rewrapped)
	fresh, err := r.Reseal(t.Context(), place, "a", rewrapped)
	if err != nil || fresh.KEKVersion != 2 || string(fresh.Nonce) == string(old.Nonce) ||
		string(rewrapped.Nonce) != string(old.Nonce) {
		t.Errorf("%+v of %+v, %v", fresh, rewrapped, err)
	}
	opens(fresh)
	if s := r.Status(); s.Trouble != "" {
		t.Errorf("%+v", s)
	}
}
