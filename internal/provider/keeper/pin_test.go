package keeper_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/term"
)

// typing is a kept provider; what is typed comes from a file.
type typing struct {
	provider.Provider
	provider.PINLogin
	file string
}

func (w typing) Enter(ctx context.Context, _ provider.Source) error {
	return w.PINLogin.Enter(ctx, provider.File(w.file))
}

// console is somebody who types a PIN at a console, and whether the final try was asked for.
type console struct {
	t     *testing.T
	p     provider.Provider
	dir   string // of the count
	asked int
}

func newConsole(t *testing.T, c provider.Settings, dir, typed string) *console {
	file := filepath.Join(t.TempDir(), "typed")
	if err := os.WriteFile(file, []byte(typed+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := open(t, c)
	return &console{t, typing{p, pin(t, p), file}, dir, 0}
}

// try logs in; while the terminal is lent, meanwhile happens.
func (c *console) try(meanwhile func()) error {
	lend := func(_ context.Context, use func(*term.Terminal) error) error {
		err := use(nil)
		if meanwhile != nil {
			meanwhile()
		}
		return err
	}
	return login.Login{
		PIN: login.PIN{Parts: 1, Tries: 3}, Dir: c.dir, Lend: lend, Report: func(string) {},
		Final: func(provider.Tries) error { c.asked++; return provider.ErrFinalTry },
	}.Into(c.t.Context(), c.p)
}

// TestTwoConsolesAtThePIN: what would be the final try by the time it is made is none
// that anybody approved.
func TestTwoConsolesAtThePIN(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	dir := t.TempDir()
	if err := newConsole(t, c, dir, "1111").try(nil); !errors.Is(err, provider.ErrPINRefused) {
		t.Fatal(err)
	}
	a, b := newConsole(t, c, dir, "2222"), newConsole(t, c, dir, "3333")
	err := a.try(func() {
		if err := b.try(nil); !errors.Is(err, provider.ErrPINRefused) {
			t.Error(err)
		}
	})
	if !errors.Is(err, provider.ErrFinalTry) || fault.Count("login") != 2 {
		t.Errorf("%v, %d attempts", err, fault.Count("login"))
	}
	// A file is no better.
	wrong := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(wrong, []byte("9999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = login.Login{PIN: login.PIN{File: wrong, Tries: 3}, Dir: dir}.Into(t.Context(), open(t, c))
	_, marked := os.Lstat(wrong + ".refused")
	if !errors.Is(err, provider.ErrFinalTry) || marked == nil || fault.Count("login") != 2 {
		t.Errorf("%v, %d attempts", err, fault.Count("login"))
	}
}

// TestUntried: what never reached the token, or was called off at its keypad, is no
// attempt; the right PIN is right afterwards.
func TestUntried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pin   string
		modes []string
	}{
		"empty":  {"", nil},
		"keypad": {"", []string{"pin-path", "Login+1:50"}},
		"pulled": {pkcs11test.PIN, []string{"GetTokenInfo+3:e0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault, cfg := kept(t)
			dir := t.TempDir()
			for range 3 {
				fault.Set(c.modes...)
				if o := newConsole(t, cfg, dir, c.pin); o.try(nil) == nil || o.asked != 0 {
					t.Error("it is counted")
				}
			}
			fault.Set()
			if err := newConsole(t, cfg, dir, pkcs11test.PIN).try(nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCountFails: when the count cannot be written there is no attempt, and what was
// typed for it is not typed again with the next.
func TestCountFails(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	dir := t.TempDir()
	o := newConsole(t, c, filepath.Join(dir, "later"), pkcs11test.PIN)
	if err := o.try(nil); !errors.Is(err, os.ErrNotExist) || fault.Count("login") != 0 {
		t.Errorf("%v, %d attempts", err, fault.Count("login"))
	}
	if err := os.Mkdir(filepath.Join(dir, "later"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := o.try(nil); err != nil {
		t.Error(err)
	}
}

// TestLostLogin: an attempt whose answer was lost is one that failed, for all one knows.
func TestLostLogin(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	dir, path := t.TempDir(), pinFile(t)
	fault.Set("Login+1:lost")
	for range 4 {
		if err := (login.Login{PIN: login.PIN{File: path, Tries: 3}, Dir: dir}).Into(t.Context(), open(t, c)); err == nil {
			t.Error("it went through")
		}
	}
	if n := fault.Count("login"); n != 2 {
		t.Errorf("%d attempts, want 2: the third would be final", n)
	}
}

// TestStoppedInLogin: anyone who is told to stop in the middle of an attempt waits for it.
func TestStoppedInLogin(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	fault.Set("Login=1:sleep1000")
	ctx, path := calledOff(t, fault, "sleep"), pinFile(t)
	if err := (login.Login{PIN: login.PIN{File: path, Tries: 3}, Dir: t.TempDir()}).Into(ctx, open(t, c)); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path + ".refused"); err == nil {
		t.Error("the right PIN is marked as refused")
	}
}

// TestPINFile: the PIN is the first line, however its end is written. A file whose count
// says that there is no try left is not marked: nothing was tried.
func TestPINFile(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	dir := t.TempDir()
	for _, text := range []string{"1234", "1234\n", "1234\r\n", "1234\nwhat follows\n", "1234\r\n\n"} {
		path := filepath.Join(t.TempDir(), "pin")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (login.Login{PIN: login.PIN{File: path, Tries: 3}, Dir: dir}).Into(t.Context(), open(t, c)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	logins := fault.Count("login")
	counts, _ := filepath.Glob(filepath.Join(dir, ".attempts-*")) // the pattern is right
	if err := os.WriteFile(counts[0], []byte("..."), 0o600); err != nil {
		t.Fatal(err)
	}
	path := pinFile(t)
	err := login.Login{PIN: login.PIN{File: path, Tries: 3}, Dir: dir}.Into(t.Context(), open(t, c))
	_, marked := os.Lstat(path + ".refused")
	if !errors.Is(err, provider.ErrPINLocked) || marked == nil || fault.Count("login") != logins {
		t.Errorf("%v, marked %t, %d attempts", err, marked == nil, fault.Count("login")-logins)
	}
}
