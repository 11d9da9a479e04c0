package pkcs11_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// items makes two versions of a KEK and n DEKs wrapped by the first.
func items(t testing.TB, p *pkcs11.Provider, n int) []provider.Item {
	t.Helper()
	for v := range kek.Version(2) {
		if err := p.Generate(t.Context(), kek.NameOf(chain, v+1)); err != nil {
			t.Fatal(err)
		}
	}
	return wrapped(t, p, n)
}

// wrapped are n DEKs wrapped by the first version: DEK i is filled with byte i.
func wrapped(t testing.TB, p *pkcs11.Provider, n int) []provider.Item {
	t.Helper()
	all := make([]provider.Item, n)
	for i := range all {
		w, err := p.Wrap(t.Context(), kek.NameOf(chain, 1), dek(i))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = provider.Item{From: kek.NameOf(chain, 1), Wrapped: w}
	}
	return all
}

func dek(i int) []byte { return bytes.Repeat([]byte{byte(i)}, kek.Size) }

// right demands that each answer is its item's DEK under version 2.
func right(t *testing.T, p *pkcs11.Provider, all []provider.Item, answers []provider.Rewrapped) {
	t.Helper()
	into := make([]byte, kek.Size)
	for i, a := range answers {
		if a.Err != nil || !bytes.Equal(a.Old, all[i].Wrapped) {
			t.Fatalf("item %d: %v", i, a.Err)
		}
		if err := p.Unwrap(t.Context(), kek.NameOf(chain, 2), a.New, into); err != nil || !bytes.Equal(into, dek(i)) {
			t.Fatalf("item %d holds %x, %v", i, into, err)
		}
	}
}

func sessions(p *pkcs11.Provider) int {
	n, _ := strconv.Atoi(strings.Split(p.Workers(), ",")[0])
	return n
}

// TestSessions: the number of sessions follows what the token does, and every
// answer is right at every moment.
func TestSessions(t *testing.T) {
	for _, c := range []struct {
		mode  string
		least int // sessions in the end
		most  int
	}{
		{"latency", 8, 64},
		{"busy", 1, 8},
	} {
		t.Run(c.mode, func(t *testing.T) {
			pkcs11test.NewTokens(t, pkcs11test.Label)
			fault := pkcs11test.NewFault(t)
			p := open(t, fault.Module)
			if err := logIn(t, p, pkcs11test.PIN); err != nil {
				t.Fatal(err)
			}
			all := items(t, p, 200)
			fault.Set(c.mode)
			var answers []provider.Rewrapped
			over := func(took time.Duration) bool {
				// What the token takes is found after a while, and a busy token for good.
				settled := sessions(p) >= c.least && (c.mode == "latency" || sessions(p) <= c.most && took > 6*time.Second)
				return settled || took > 2*time.Minute
			}
			for began := time.Now(); answers == nil || !over(time.Since(began)); {
				var err error
				if answers, err = p.Rewrap(t.Context(), all, kek.NameOf(chain, 2)); err != nil {
					t.Fatal(err)
				}
			}
			if n := sessions(p); n < c.least || n > c.most {
				t.Errorf("sessions: %s", p.Workers())
			}
			fault.Set()
			right(t, p, all, answers)
		})
	}
}

// TestTokenGone: a token that is taken out in the middle ends the batch with an
// error of its own; none of the envelopes is to blame.
func TestTokenGone(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p := open(t, fault.Module)
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	all := items(t, p, 20)
	fault.Set("gone")
	if answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2)); !errors.Is(err, provider.ErrGone) {
		t.Errorf("%v, %v", answers, err)
	}
	fault.Set()
	answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	right(t, p, all, answers)
}

// TestAnotherKeyAfterALostSession: while the session is gone somebody puts another key
// under the name. It is not wrapped with.
func TestAnotherKeyAfterALostSession(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p := open(t, fault.Module)
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	all, two := items(t, p, 8), kek.NameOf(chain, 2)
	if _, err := p.Rewrap(t.Context(), all, two); err != nil {
		t.Fatal(err)
	}
	pkcs11test.Run(t, "pkcs11-tool", "--module", pkcs11test.Module(t), "--login", "--pin", pkcs11test.PIN,
		"--delete-object", "--type", "secrkey", "--label", two.Label)
	Plant(t, two, two.HexID())
	fault.Set("EncryptInit=1:b3")
	for range 2 { // also when it is asked again
		answers, err := p.Rewrap(t.Context(), all, two)
		if !errors.Is(err, provider.ErrGone) || !strings.Contains(err.Error(), "is another key") {
			t.Errorf("%v, %d answers", err, len(answers))
		}
	}
}

// TestLostSessions loses every session in the middle of a batch of many chunks, once
// and for good. With them the login is lost: no key is to be seen, and none is gone.
func TestLostSessions(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p, err := pkcs11.Open(pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label, Sessions: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	all, two := items(t, p, 200), kek.NameOf(chain, 2)
	for _, mode := range []string{"", "DecryptInit=30:b3", "EncryptInit=50:60", "Decrypt=70:6"} {
		fault.Set(mode)
		answers, err := p.Rewrap(t.Context(), all, two)
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		right(t, p, all, answers)
	}
	for _, mode := range []string{"DecryptInit+30:b3", "EncryptInit+1:60"} {
		fault.Set(mode)
		if _, err := p.Rewrap(t.Context(), all, two); !errors.Is(err, provider.ErrGone) {
			t.Errorf("%s: %v", mode, err)
		}
	}
	fault.Set("EncryptInit+1:6")
	if _, err := p.Rewrap(t.Context(), all, two); !errors.Is(err, provider.ErrBusy) || errors.Is(err, provider.ErrGone) {
		t.Errorf("busy for good: %v", err)
	}
	fault.Set()
	if err := p.CloseAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Rewrap(t.Context(), all, two); !errors.Is(err, provider.ErrGone) {
		t.Errorf("with the login lost: %v", err)
	}
}

// TestFewerSessions: a token that grants fewer sessions than are wanted.
func TestFewerSessions(t *testing.T) {
	pkcs11test.NewTokens(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	p, err := pkcs11.Open(pkcs11.Config{ModulePath: fault.Module, TokenLabel: pkcs11test.Label, Sessions: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := logIn(t, p, pkcs11test.PIN); err != nil {
		t.Fatal(err)
	}
	all := items(t, p, 100)
	fault.Set("OpenSession+4:b1")
	for range 2 {
		answers, err := p.Rewrap(t.Context(), all, kek.NameOf(chain, 2))
		if err != nil {
			t.Fatal(err)
		}
		right(t, p, all, answers)
	}
}

// BenchmarkRewrap is one session re-wrapping; the raw loop beside it is that of
// make bench.
func BenchmarkRewrap(b *testing.B) {
	pkcs11test.NewTokens(b, pkcs11test.Label)
	p := open(b, pkcs11test.Module(b))
	if err := logIn(b, p, pkcs11test.PIN); err != nil {
		b.Fatal(err)
	}
	all := items(b, p, 1000)
	for b.Loop() {
		if _, err := p.Rewrap(b.Context(), all, kek.NameOf(chain, 2)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(all)*b.N)/b.Elapsed().Seconds(), "re-wraps/s")
}
