package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/memorytest"
)

// partners open a provider with a PIN, in as many processes as are asked for. The second that is opened has a
// flaw that the first has not.
type partners struct {
	memorytest.Settings
	Dir  string
	N    int
	Flaw string
}

// What the second may do otherwise than the first.
const (
	noFlaw     = ""
	otherZone  = "it describes itself otherwise"
	noLogin    = "its login is refused"
	noProbe    = "it fails the probe"
	otherKey   = "it has another key"
	diesAtWork = "it ends in the middle of a batch"
)

func (s partners) Name() string                                    { return "partners" }
func (s partners) Processes() int                                  { return s.N }
func (s partners) WithProcesses(n int) provider.Settings           { s.N = n; return s }
func (s partners) Read(func(any) error) (provider.Settings, error) { return s, nil }
func (s partners) Pin() (provider.Settings, map[string]string, error) {
	return s, nil, nil
}

func (s partners) Open() (provider.Provider, error) {
	flaw := s.Flaw
	if f, err := os.OpenFile(filepath.Join(s.Dir, "first"), os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		f.Close()
		flaw = noFlaw
	}
	mine := memorytest.Settings{Zone: "a", File: filepath.Join(s.Dir, "keys")}
	switch flaw {
	case otherZone:
		mine.Zone = "b"
	case otherKey:
		mine.File = filepath.Join(s.Dir, "others")
	}
	p, err := mine.Open()
	return &partner{Provider: p, flaw: flaw, dir: s.Dir}, err
}

type partner struct {
	provider.Provider
	flaw, dir string
	entered   provider.Entered
}

func (p *partner) Tries(context.Context) (provider.Tries, error) {
	p.entered.Wipe()
	return provider.Tries{Ask: true, Token: "partners"}, nil
}

func (p *partner) Enter(ctx context.Context, from provider.Source) error {
	return p.entered.Add(ctx, from)
}

func (p *partner) Login(context.Context, bool) error {
	defer p.entered.Wipe()
	tried, err := os.CreateTemp(p.dir, "login-")
	if err != nil {
		return err
	}
	tried.Close()
	if p.flaw == noLogin || string(p.entered.Bytes()) != "1234567" {
		return provider.ErrPINRefused
	}
	return nil
}

func (p *partner) Probe(ctx context.Context, report func(provider.Verdict)) error {
	if p.flaw == noProbe {
		return errors.New("the probe failed")
	}
	return p.Provider.Probe(ctx, report)
}

func (p *partner) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	if p.flaw == diesAtWork {
		os.Exit(3)
	}
	return p.Provider.Rewrap(ctx, items, to)
}

// logins is how often a PIN was tried.
func (s partners) logins(t *testing.T) int {
	all, err := filepath.Glob(filepath.Join(s.Dir, "login-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// enter types a PIN in two parts, as two custodians do.
func enter(t *testing.T, p provider.Provider, parts ...string) error {
	t.Helper()
	in := pin(t, p)
	if _, err := in.Tries(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		path := filepath.Join(t.TempDir(), fmt.Sprint("part", i))
		if err := os.WriteFile(path, []byte(part+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := in.Enter(t.Context(), provider.File(path)); err != nil {
			t.Fatal(err)
		}
	}
	return in.Login(t.Context(), false)
}

// TestPartners: a further process that is not what the first is re-wraps nothing, and the re-wrap goes on without
// it. One that ends in the middle of a batch is an error as the first's end is.
func TestPartners(t *testing.T) {
	t.Parallel()
	for flaw, says := range map[string]string{
		noFlaw:     "in 2 processes",
		otherZone:  "in 1 process: another process describes itself otherwise",
		noLogin:    "in 1 process: PIN refused",
		noProbe:    "in 1 process: the probe failed",
		otherKey:   "in 1 process: ",
		diesAtWork: "in 2 processes",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			s := partners{Dir: t.TempDir(), N: 2, Flaw: flaw}
			p := open(t, s)
			if err := enter(t, p, "123", "4567"); err != nil {
				t.Fatal(err)
			}
			deks, items := keys(t, p, 40)
			if flaw == otherKey { // of the same names
				keys(t, open(t, memorytest.Settings{Zone: "a", File: filepath.Join(s.Dir, "others")}), 0)
			}
			if err := p.Probe(t.Context(), func(provider.Verdict) {}); err != nil {
				t.Fatal(err)
			}
			canary(t, p, 2)
			answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
			if flaw == diesAtWork {
				if !errors.Is(err, provider.ErrKeeper) || answers != nil {
					t.Errorf("%d answers, %v", len(answers), err)
				}
				return
			}
			if err != nil || len(answers) != len(items) {
				t.Fatalf("%d answers, %v", len(answers), err)
			}
			into := make([]byte, kek.Size)
			for i, a := range answers {
				if err := p.Unwrap(t.Context(), kek.NameOf(chain, 2), a.New, into); err != nil || !bytes.Equal(into, deks[i]) {
					t.Fatalf("answer %d: %v", i, err)
				}
			}
			if got := provider.Workers(p); !strings.Contains(got, says) {
				t.Errorf("%s, want %s", got, says)
			}
			if n := s.logins(t); n > 2 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

// TestPartnersPIN: a PIN that the token refuses is tried by one process, and given to no other; the right one,
// typed afterwards, is that of both.
func TestPartnersPIN(t *testing.T) {
	t.Parallel()
	s := partners{Dir: t.TempDir(), N: 3}
	p := open(t, s)
	if err := enter(t, p, "wrong"); !errors.Is(err, provider.ErrPINRefused) || s.logins(t) != 1 {
		t.Fatalf("%v, %d logins", err, s.logins(t))
	}
	if err := enter(t, p, "1234567"); err != nil || s.logins(t) != 4 {
		t.Fatalf("%v, %d logins", err, s.logins(t))
	}
	if got := provider.Workers(p); !strings.Contains(got, "in 3 processes") {
		t.Error(got)
	}
}

// TestPartnersTogether: without the target's canary no further process re-wraps, since nothing else tells that
// it has the same key.
func TestPartnersWithoutCanary(t *testing.T) {
	t.Parallel()
	p := open(t, partners{Dir: t.TempDir(), N: 2})
	if err := enter(t, p, "1234567"); err != nil {
		t.Fatal(err)
	}
	_, items := keys(t, p, 10)
	if _, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2)); err != nil {
		t.Fatal(err)
	}
	if got := provider.Workers(p); !strings.Contains(got, "in 1 process: the target's canary was not opened") {
		t.Error(got)
	}
}
