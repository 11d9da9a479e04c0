package keeper_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// inProcesses is a setting.
func inProcesses(n int) func(*pkcs11.Config) { return func(c *pkcs11.Config) { c.Keepers = n } }

// canary opens the canary of a version, as every ceremony does before it re-wraps to it.
func canary(t testing.TB, p provider.Provider, by kek.Name) {
	t.Helper()
	by = by.To(binding.Canary(chain))
	value, into := bytes.Repeat([]byte{3}, kek.Size), make([]byte, kek.Size)
	wrapped, err := p.Wrap(t.Context(), by, value)
	if err == nil {
		err = p.Unwrap(t.Context(), by, wrapped, into)
	}
	if err != nil || !bytes.Equal(value, into) {
		t.Fatal(err)
	}
}

// TestMany: two processes, one login. Each re-wraps its part, and the answers are in order.
func TestMany(t *testing.T) {
	t.Parallel()
	pkcs11test.TokensForPrograms(t, pkcs11test.Label)
	p := open(t, config(pkcs11test.Module(t), inProcesses(2)))
	logIn(t, p) // and joins
	if got := provider.Workers(p); !strings.Contains(got, "in 2 processes") {
		t.Fatalf("workers: %s", got)
	}
	if err := p.Probe(t.Context(), func(provider.Verdict) {}); err != nil {
		t.Fatal(err)
	}
	deks, items := keys(t, p, 101)
	canary(t, p, kek.NameOf(chain, 2))
	answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
	if err != nil || len(answers) != len(items) {
		t.Fatalf("%v, %d answers", err, len(answers))
	}
	if got := provider.Workers(p); !strings.Contains(got, "in 2 processes") {
		t.Errorf("workers: %s", got)
	}
	into := make([]byte, kek.Size)
	for i, a := range answers {
		if !bytes.Equal(a.Old, items[i].Wrapped) || a.Err != nil {
			t.Fatalf("answer %d: %v", i, a.Err)
		}
		if err := p.Unwrap(t.Context(), kek.NameOf(chain, 2), a.New, into); err != nil || !bytes.Equal(into, deks[i]) {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}

// TestTrialOfPages: a page of a trial of processes is as large as the pages after it. With sixty-four sessions in each
// of two, a half of one would leave most of them without work, and show no gain where there is one.
func TestTrialOfPages(t *testing.T) {
	t.Parallel()
	if runtime.NumCPU() < 2 {
		pkcs11test.Missing(t, "a second processor")
	}
	s := partners{Dir: t.TempDir(), Slow: true}
	p := open(t, s)
	if err := enter(t, p, "1234567"); err != nil {
		t.Fatal(err)
	}
	deks, items := keys(t, p, 1024)
	answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	opens(t, p, answers, deks)
	if calls := s.noted(t, "rewrap"); calls != 1 {
		t.Errorf("the first process was given the first page in %d calls", calls)
	}
}
