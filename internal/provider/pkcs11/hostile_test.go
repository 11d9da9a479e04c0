package pkcs11_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// The module of these tests reports more than it had room for, or has no end. A program that
// believes it reads memory that is not the answer's, or takes memory until it dies. Under
// go test -asan the first such read ends the tests.

const (
	tooLong = "impossible answer of the module: more than there was room for"
	endless = "impossible answer of the module: one search found more than 100000 objects"

	unpadded = "its label or its serial ends in a zero byte, and something follows"
)

// maxAllocated bounds what a refusal may cost, in bytes.
const maxAllocated = 16 << 20

// TestHostileOpen: what the module answers before anybody has typed a PIN.
func TestHostileOpen(t *testing.T) {
	for _, c := range []struct{ name, fault, says string }{
		{"the slots grow after they were counted", "GetSlotList=2:more1", "list slots: " + tooLong},
		{"more slots than memory", "GetSlotList=1:unavailable", "list slots: " + tooLong},
		{"slots, and not how many", "GetSlotList=2:unavailable", "list slots: " + tooLong},
		{"the label has no padding", "zero-label", unpadded},
		{"the serial has no padding", "as short,zero-serial", unpadded},
	} {
		t.Run(c.name, func(t *testing.T) {
			pkcs11test.NewTokens(t, pkcs11test.Label)
			fault := pkcs11test.NewFault(t, strings.Split(c.fault, ",")...)
			refused(t, c.says, func() error {
				p, err := pkcs11.Open(pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label})
				if err == nil {
					p.Close()
				}
				return err
			})
		})
	}
}

// TestHostileKeys: what it answers about the keys that are there.
func TestHostileKeys(t *testing.T) {
	one := kek.NameOf(chain, 1)
	find := func(p *pkcs11.Provider) error { _, err := p.Find(t.Context(), one); return err }
	ours := func(p *pkcs11.Provider) error { _, err := p.Ours(t.Context()); return err }
	for i, c := range []struct {
		fault string
		does  func(*pkcs11.Provider) error
		says  string
	}{
		{"FindObjects+1:more1", find, "find key " + one.Label + ": " + tooLong},
		{"FindObjects+1:unavailable", find, "find key " + one.Label + ": " + tooLong},
		{"FindObjects+1:more1", ours, "list keys: " + tooLong},
		{"endless", find, "find key " + one.Label + ": " + endless},
		{"endless", ours, "list keys: " + endless},
		{"GetAttributeValue+1:more1", find, "read key " + one.Label + ": local: " + tooLong},
		{"GetAttributeValue+1:unavailable", find, "read key " + one.Label + ": local: " + tooLong},
		{"GetAttributeValue+1:more1000", ours, ": " + tooLong},
		{"GetAttributeValue+1:unavailable", ours, ": " + tooLong},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p, fault := faulty(t)
			if err := p.Generate(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			fault.Set(c.fault)
			refused(t, c.says, func() error { return c.does(p) })
			fault.Set() // and the session is as good as before
			if err := errors.Join(find(p), ours(p)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHostileCiphers: what it answers for a DEK.
func TestHostileCiphers(t *testing.T) {
	one, two := kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	var all []provider.Item
	wrap := func(p *pkcs11.Provider) error { _, err := p.Wrap(t.Context(), one, dek(0)); return err }
	unwrap := func(p *pkcs11.Provider) error { return p.Unwrap(t.Context(), one, all[0].Wrapped, dek(0)) }
	// No envelope is to blame: the batch fails, not one of its items.
	rewrap := func(p *pkcs11.Provider) error { _, err := p.Rewrap(t.Context(), all, two); return err }
	for i, c := range []struct {
		mode, fault string
		does        func(*pkcs11.Provider) error
		says        string
	}{
		{"", "Encrypt=1:more1", wrap, "wrap with " + one.Label + ": " + tooLong},
		{"", "Encrypt=1:unavailable", wrap, "wrap with " + one.Label + ": " + tooLong},
		{"appended-iv", "Encrypt=1:more1", wrap, "wrap with " + one.Label + ": " + tooLong},
		{"", "Decrypt=1:more1", unwrap, "unwrap with " + one.Label + ": " + tooLong},
		{"", "Decrypt=1:unavailable", unwrap, "unwrap with " + one.Label + ": " + tooLong},
		{"", "Decrypt=1:more1", rewrap, "re-wrap with " + two.Label + ": " + tooLong},
		{"", "Encrypt=1:more1", rewrap, "re-wrap with " + two.Label + ": " + tooLong},
		{"", "Encrypt=1:more1000000", rewrap, "re-wrap with " + two.Label + ": " + tooLong},
		{"appended-iv", "Encrypt=1:more1", rewrap, "re-wrap with " + two.Label + ": " + tooLong},
		{"", "Decrypt=2:more1", rewrap, "re-wrap with " + two.Label + ": unwrap what was just wrapped: " + tooLong},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			p, fault := faulty(t, c.mode)
			all = items(t, p, 1)
			if err := rewrap(p); err != nil { // so that the next one finds no keys first
				t.Fatal(err)
			}
			fault.Set(c.mode, c.fault)
			refused(t, c.says, func() error { return c.does(p) })
			fault.Set(c.mode) // and the next one is as good as before
			answers, err := p.Rewrap(t.Context(), all, two)
			if err := errors.Join(err, wrap(p), unwrap(p)); err != nil {
				t.Fatal(err)
			}
			right(t, p, all, answers)
		})
	}
}

// TestHostileProbe: what it answers to the probe alone.
func TestHostileProbe(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	public := keyPair(t, "EC:prime256v1", "mine")
	for i, c := range []struct{ modes, line, says string }{
		{"hide-gcm,GetMechanismList+1:more100", "mechanism", "CKM_AES_GCM: CKR_MECHANISM_INVALID"},
		{"Sign=1:more100000", "identity", "sign by ECDSA: " + tooLong},
		{"Sign=1:unavailable", "identity", "sign by ECDSA: " + tooLong},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			fault := pkcs11test.NewFault(t)
			p, err := pkcs11.Open(pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label,
				Identity: pkcs11.Identity{Label: "mine", Public: public}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := logIn(t, p, pkcs11test.PIN); err != nil {
				t.Fatal(err)
			}
			fault.Set(strings.Split(c.modes, ",")...)
			var failed *provider.ProbeError
			if _, err := probe(t, p); !errors.As(err, &failed) || failed.Line != c.line || failed.Detail != c.says {
				t.Errorf("got %v, want line %s: %s", err, c.line, c.says)
			}
		})
	}
}

// refused demands that something is refused by name, and at no great cost.
func refused(t *testing.T, says string, does func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := does()
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want %s", err, says)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAllocated {
		t.Errorf("it took %d MiB", n>>20)
	}
}
