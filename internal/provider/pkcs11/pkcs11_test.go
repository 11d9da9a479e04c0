package pkcs11_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/provider/providertest"
	"github.com/certautopilot/kekceremony/internal/secret"
)

const chain = kek.Chain("00112233445566778899aabbccddeeff")

func open(t testing.TB, module string) *pkcs11.Provider {
	t.Helper()
	p, err := pkcs11.Open(pkcs11.Config{ModulePath: module, TokenLabel: pkcs11test.Label})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func logIn(t testing.TB, p provider.PINLogin, pin string) error {
	t.Helper()
	if err := p.Enter(t.Context(), typed(pin)); err != nil {
		return err
	}
	return p.Login(t.Context(), false)
}

// typed is a PIN that comes from nowhere.
type typed string

func (pin typed) Read(context.Context) (*secret.Buffer, error) {
	b, err := secret.New(64)
	if err == nil {
		b.SetLen(copy(b.Room(), pin))
	}
	return b, err
}

func probe(t *testing.T, p provider.Provider) (lines []string, err error) {
	err = p.Probe(t.Context(), func(v provider.Verdict) {
		if v.Outcome != provider.Trying {
			lines = append(lines, v.Line+" "+string(v.Outcome))
		}
	})
	return lines, err
}

func TestBoundOnSoftHSM(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	p := open(t, pkcs11test.Module(t))
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	providertest.Bound(t, p)
}

func TestWrapOnSoftHSM(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	p := open(t, pkcs11test.Module(t))
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	ctx, one, two := t.Context(), kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	if _, err := p.Find(ctx, one); !errors.Is(err, provider.ErrNoKey) {
		t.Fatalf("find before generate: %v", err)
	}
	for _, n := range []kek.Name{one, two} {
		if err := p.Generate(ctx, n); err != nil {
			t.Fatal(err)
		}
		k, err := p.Find(ctx, n)
		if err != nil || k.Doubt != nil {
			t.Fatalf("find %s: %v, doubt %v", n.Label, err, k.Doubt)
		}
	}
	dek := bytes.Repeat([]byte{7}, kek.Size)
	wrapped, err := p.Wrap(ctx, one, dek)
	if err != nil || len(wrapped) != 60 {
		t.Fatalf("wrap: %d bytes, %v", len(wrapped), err)
	}
	out, err := p.Rewrap(ctx, []provider.Item{{From: one, Wrapped: wrapped}, {From: two, Wrapped: wrapped}}, two)
	if err != nil || out[0].Err != nil || !bytes.Equal(out[0].Old, wrapped) {
		t.Fatalf("re-wrap: %v, %v", err, out[0].Err)
	}
	if out[1].Err == nil || out[1].New != nil {
		t.Error("an envelope of version 1 was re-wrapped as one of version 2")
	}
	into := make([]byte, kek.Size)
	if err := p.Unwrap(ctx, two, out[0].New, into); err != nil || !bytes.Equal(into, dek) {
		t.Fatalf("unwrap: %v", err)
	}
	ours, err := p.Ours(ctx)
	if err != nil || strings.Join(ours, " ") != one.Label+" "+two.Label {
		t.Errorf("ours: %v, %v", ours, err)
	}
}

func TestProbeOnSoftHSM(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	p := open(t, pkcs11test.Module(t))
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	lines, err := probe(t, p)
	if err != nil {
		t.Fatal(err)
	}
	want := "mechanism ok, key ok, IV ok, round trip ok, tamper ok, identity ok, size query ok, key wrap ok, " +
		"messages ok, throughput ok"
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("got %s", got)
	}
	if left := pkcs11test.Objects(t, pkcs11test.PIN); left != "" {
		t.Errorf("the probe left objects:\n%s", left)
	}
}

// TestProbeRefuses tells each lie to the probe; the line of that name must catch it.
func TestProbeRefuses(t *testing.T) {
	for _, c := range []struct{ mode, line, detail string }{
		{"hide-gcm", "mechanism", "CKM_AES_GCM: CKR_MECHANISM_INVALID"},
		{"extractable", "key", "key of the probe: sensitive is false, want true"},
		{"not-local", "key", "key of the probe: local is false, want true"},
		{"zero-iv", "IV", "an IV was used twice in 2 wraps"},
		{"ignore-tag", "tamper", "an altered tag was accepted"},
		{"ignore-aad", "tamper", "an altered AAD was accepted"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			pkcs11test.NewTokens(t, pkcs11test.Label)
			fault := pkcs11test.NewFault(t, c.mode)
			p := open(t, fault.Module)
			if err := logIn(t, p, pkcs11test.PIN); err != nil {
				t.Fatal(err)
			}
			_, err := probe(t, p)
			var failed *provider.ProbeError
			if !errors.As(err, &failed) || failed.Line != c.line || failed.Detail != c.detail {
				t.Fatalf("got %v, want line %s: %s", err, c.line, c.detail)
			}
			if n := fault.Count("token"); n != 0 {
				t.Errorf("%d keys were made on the token", n)
			}
			if left := pkcs11test.Objects(t, pkcs11test.PIN); left != "" {
				t.Errorf("the probe left objects:\n%s", left)
			}
		})
	}
}

// TestPlantedKey plants a key of known value under our label and CKA_ID: it
// wraps and unwraps like any other, and only its history gives it away.
func TestPlantedKey(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	n := kek.NameOf(chain, 1)
	Plant(t, n, n.HexID())
	p := open(t, pkcs11test.Module(t))
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wrap(t.Context(), n, make([]byte, kek.Size)); err != nil {
		t.Fatalf("the planted key does not even wrap: %v", err)
	}
	k, err := p.Find(t.Context(), n)
	if err != nil || k.Doubt == nil || !strings.Contains(k.Doubt.Error(), "local is false") {
		t.Errorf("got %v, doubt %v", err, k.Doubt)
	}
}

// TestLookAlikes finds two keys where one was asked for.
func TestLookAlikes(t *testing.T) {
	n := kek.NameOf(chain, 1)
	for _, c := range []struct{ name, id string }{{"same label, another id", "abcd"}, {"same label and id", n.HexID()}} {
		t.Run(c.name, func(t *testing.T) {
			pkcs11test.NewTokens(t, pkcs11test.Label)
			Plant(t, n, n.HexID())
			Plant(t, n, c.id)
			p := open(t, pkcs11test.Module(t))
			if err := logIn(t, p, pkcs11test.PIN); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Find(t.Context(), n); !errors.Is(err, provider.ErrAmbiguous) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Plant writes a key of known value with a stock tool.
func Plant(t *testing.T, n kek.Name, id string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known")
	value, _ := hex.DecodeString(strings.Repeat("42", kek.Size))
	if err := os.WriteFile(file, value, 0o600); err != nil {
		t.Fatal(err)
	}
	pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--login", "--pin", pkcs11test.PIN,
		"--write-object", file, "--type", "secrkey", "--key-type", "AES:32", "--label", n.Label, "--id", id,
		"--usage-decrypt")
}

func TestOpenRefuses(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label, "twice", "twice")
	module := pkcs11test.Module(t)
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a module"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  pkcs11.Config
		want string
	}{
		{"no such module", pkcs11.Config{ModulePath: "/nowhere.so", TokenLabel: pkcs11test.Label},
			"load module: open /nowhere.so: no such file or directory"},
		{"relative path", pkcs11.Config{ModulePath: "x.so"}, `load module "x.so": the path must be absolute`},
		{"not a module", pkcs11.Config{ModulePath: text},
			`load module "` + text + `": not a PKCS#11 module for this machine`},
		{"no such label", pkcs11.Config{ModulePath: module, TokenLabel: "other"}, `find token "other": no such token`},
		{"no such serial", pkcs11.Config{ModulePath: module, TokenLabel: pkcs11test.Label, TokenSerial: "00"},
			`find token "kek-test" of serial "00": no such token`},
		{"two of one label", pkcs11.Config{ModulePath: module, TokenLabel: "twice"},
			`find token "twice": more than one token has this label: serials `},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := pkcs11.Open(c.cfg)
			if err == nil {
				p.Close()
				t.Fatal("opened")
			}
			if !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
		})
	}
}

func TestWrongPIN(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	p := open(t, pkcs11test.Module(t))
	for _, pin := range []string{"4321", ""} {
		if err := logIn(t, p, pin); !errors.Is(err, provider.ErrPINRefused) {
			t.Errorf("PIN %q: %v", pin, err)
		}
	}
	// A refused PIN of a file is not tried again, not even by a new process.
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte("4321\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := login.Login{PIN: login.PIN{File: file}}
	for range 2 {
		if err := fromFile.Into(t.Context(), p); !errors.Is(err, provider.ErrPINRefused) {
			t.Errorf("PIN of a file: %v", err)
		}
	}
	if err := os.WriteFile(file, []byte(pkcs11test.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fromFile.Into(t.Context(), p); !errors.Is(err, provider.ErrPINRefused) {
		t.Errorf("the mark was not looked at: %v", err)
	}
	if err := os.Remove(file + ".refused"); err != nil {
		t.Fatal(err)
	}
	if err := fromFile.Into(t.Context(), p); err != nil {
		t.Errorf("after the mark was cleared: %v", err)
	}
}

// TestOpenAgain: a token that is away is looked for again and again. That takes no more
// descriptors.
func TestOpenAgain(t *testing.T) {
	cfg := pkcs11.Config{ModulePath: pkcs11test.Module(t), TokenLabel: "away"}
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := 0
	for i := range 20 {
		if _, err := pkcs11.Open(cfg); !errors.Is(err, provider.ErrNoToken) {
			t.Fatal(err)
		}
		if i == 0 {
			before = count()
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors, and were %d", after, before)
	}
}
