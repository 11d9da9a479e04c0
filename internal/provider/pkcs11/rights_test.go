package pkcs11_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// TestRights: whoever breaks into an application has its login. The probe as an application finds
// out by trying what that login can do to keys; a token that refuses nothing does not pass.
func TestRights(t *testing.T) {
	const makes = "probe: makes none: this user can make keys"
	const destroys = "probe: destroys none: this user can destroy keys"
	for _, c := range []struct {
		name   string
		modes  []string
		user   string
		lines  []string
		says   string // the error; empty: none
		remain int    // trial keys that are there afterwards
	}{
		{"a user who only uses keys", []string{"limited"}, "limited",
			[]string{"user ok", "makes none ok", "destroys none ok"}, "", 1},
		{"the same by its number", []string{"limited"}, "0x80000001",
			[]string{"user ok", "makes none ok", "destroys none ok"}, "", 1},
		{"one who makes keys", []string{"limited-lax"}, "limited", []string{"user ok", "makes none failed"}, makes, 1},
		{"one who destroys keys", []string{"limited-lax", "GenerateKey=1:1b"}, "limited",
			[]string{"user ok", "makes none ok", "destroys none failed"}, destroys, 0},
		{"the user who does everything", nil, "", []string{"user ok", "makes none failed"}, makes, 1},
		{"a token that is gone", []string{"limited", "DestroyObject=1:32"}, "limited",
			[]string{"user ok", "makes none ok", "destroys none failed"}, "CKR_DEVICE_REMOVED", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			console, fault := faulty(t)
			config := pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label, User: c.user}
			if err := console.Generate(t.Context(), config.TrialKey()); err != nil {
				t.Fatal(err)
			}
			console.Close() // a login is of the whole process
			fault.Set(c.modes...)
			p, err := config.ForProcess().Open()
			if err != nil {
				t.Fatal(err)
			}
			if err := logIn(t, p.(provider.PINLogin), pkcs11test.PIN); err != nil {
				t.Fatal(err)
			}
			lines, err := probe(t, p)
			if !slices.Equal(lines, c.lines) {
				t.Errorf("lines %q, want %q", lines, c.lines)
			}
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			p.Close()
			fault.Set()
			if n := strings.Count(pkcs11test.Objects(t, pkcs11test.PIN), config.TrialKey().Label); n != c.remain {
				t.Errorf("%d trial keys remain, want %d", n, c.remain)
			}
		})
	}
}

// TestNoLimitedUser: SoftHSM2 has no such user, and says so before it compares a PIN.
func TestNoLimitedUser(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	config := pkcs11.Config{ModulePath: pkcs11test.Module(t), TokenLabel: pkcs11test.Label, User: "limited"}
	p, err := config.ForProcess().Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = logIn(t, p.(provider.PINLogin), pkcs11test.PIN)
	if !errors.Is(err, provider.ErrUntried) || !strings.Contains(err.Error(), "CKR_USER_TYPE_INVALID") {
		t.Errorf("got %v", err)
	}
}

// TestUserRefused: a console's user cannot be named, nor the security officer.
func TestUserRefused(t *testing.T) {
	for _, user := range []string{"0", "1", "2", "so", "-1", "0x100000000", "limited "} {
		c := pkcs11.Config{ModulePath: "/m.so", TokenLabel: "kek", User: user}
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "encryption.pkcs11.user: ") {
			t.Errorf("%q: %v", user, err)
		}
	}
}
