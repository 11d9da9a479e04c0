package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/memorytest"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// partners open a provider with a PIN, in as many processes as are asked for. The second that is opened has a
// flaw that the first has not.
type partners struct {
	memorytest.Settings
	Dir  string
	N    int
	Flaw string
	Slow bool // each takes its time
}

// What the second may do otherwise than the first.
const (
	noFlaw     = ""
	otherZone  = "it describes itself otherwise"
	noLogin    = "its login is refused"
	noProbe    = "it fails the probe"
	otherKey   = "it has another key"
	noOldKey   = "it lacks the old key"
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
	return &partner{Provider: p, flaw: flaw, dir: s.Dir, slow: s.Slow}, err
}

type partner struct {
	provider.Provider
	flaw, dir string
	slow      bool
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
	if err := p.note("login"); err != nil {
		return err
	}
	if p.flaw == noLogin || string(p.entered.Bytes()) != "1234567" {
		return provider.ErrPINRefused
	}
	return nil
}

func (p *partner) Probe(ctx context.Context, report func(provider.Verdict)) error {
	if err := p.note("probe"); err != nil {
		return err
	}
	if p.flaw == noProbe {
		return errors.New("the probe failed")
	}
	return p.Provider.Probe(ctx, report)
}

// Compared: it has no other login than its own.
func (p *partner) Compared() bool { return true }

func (p *partner) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	switch p.flaw {
	case diesAtWork:
		os.Exit(3)
	case noOldKey:
		out := make([]provider.Rewrapped, len(items))
		for i, it := range items {
			out[i] = provider.Rewrapped{Old: it.Wrapped, Err: provider.ErrNoKey}
		}
		return out, nil
	}
	if p.slow {
		if err := p.note("rewrap"); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(len(items)) * 100 * time.Microsecond)
	}
	return p.Provider.Rewrap(ctx, items, to)
}

// note counts something that one of the processes does.
func (p *partner) note(what string) error {
	f, err := os.CreateTemp(p.dir, what+"-")
	if err != nil {
		return err
	}
	return f.Close()
}

// noted is how often all did something, such as a login.
func (s partners) noted(t *testing.T, what string) int {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(s.Dir, what+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// enter types a PIN in parts, as custodians do.
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
	if err := in.Login(t.Context(), false); err != nil {
		return err
	}
	return p.(provider.Joined).Join(t.Context())
}

// partnersOf is a provider in n processes, of which the second has a flaw, with keys of versions 1 and 2 and
// envelopes of the first.
func partnersOf(t *testing.T, n int, flaw string, envelopes int) (
	p provider.Provider, deks [][]byte, items []provider.Item, err error,
) {
	s := partners{Dir: t.TempDir(), N: n, Flaw: flaw}
	p = open(t, s)
	if err = enter(t, p, "123", "4567"); err != nil {
		return p, nil, nil, err
	}
	if logins := s.noted(t, "login"); logins != n {
		t.Errorf("%d logins of %d processes", logins, n)
	}
	deks, items = keys(t, p, envelopes)
	if flaw == otherKey { // of the same names
		keys(t, open(t, memorytest.Settings{Zone: "a", File: filepath.Join(s.Dir, "others")}), 0)
	}
	canary(t, p, kek.NameOf(chain, 2))
	return p, deks, items, nil
}

// opens demands that the first process opens what came of a re-wrap.
func opens(t *testing.T, p provider.Provider, answers []provider.Rewrapped, deks [][]byte) {
	t.Helper()
	if len(answers) != len(deks) {
		t.Fatalf("%d answers to %d", len(answers), len(deks))
	}
	into := make([]byte, kek.Size)
	for i, a := range answers {
		if err := p.Unwrap(t.Context(), kek.NameOf(chain, 2), a.New, into); err != nil || !bytes.Equal(into, deks[i]) {
			t.Fatalf("answer %d: %v, %v", i, a.Err, err)
		}
	}
}

// TestPartners: a further process that has another token or another key is an error that people see, before
// anything of it is written. The next try goes on without it.
func TestPartners(t *testing.T) {
	t.Parallel()
	const n = 100
	two := kek.NameOf(chain, 2)
	for flaw, want := range map[string]struct {
		joined, rewrapped error
		says              string // in the end
	}{
		noFlaw:     {says: "in 2 processes: as configured"},
		otherZone:  {joined: provider.ErrSplit},
		noLogin:    {joined: provider.ErrPINRefused},
		noProbe:    {says: "in 1 process: the probe failed"},
		otherKey:   {rewrapped: provider.ErrSplit, says: "in 1 process: open the canary"},
		noOldKey:   {rewrapped: provider.ErrSplit, says: "in 1 process: re-wrap with"},
		diesAtWork: {rewrapped: provider.ErrKeeper, says: "in 1 process: re-wrap with"},
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			p, deks, items, err := partnersOf(t, 2, flaw, n)
			if !errors.Is(err, want.joined) {
				t.Fatalf("%v, want %v", err, want.joined)
			}
			if want.joined != nil {
				return
			}
			answers, err := p.Rewrap(t.Context(), items, two)
			if !errors.Is(err, want.rewrapped) {
				t.Errorf("%v, want %v", err, want.rewrapped)
			}
			if err != nil {
				if answers != nil {
					t.Errorf("%d answers beside %v", len(answers), err)
				}
				answers, err = p.Rewrap(t.Context(), items, two)
			}
			if err != nil {
				t.Fatal(err)
			}
			opens(t, p, answers, deks)
			if got := provider.Workers(p); !strings.Contains(got, want.says) {
				t.Errorf("%s, want %s", got, want.says)
			}
		})
	}
}

// TestPartnersProbed: every process is probed before it re-wraps anything, and none once more in the re-wrap if it
// was with the first.
func TestPartnersProbed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before         bool // that the re-wrap begins
		flaw           string
		probed, probes int // before the re-wrap, and after it
		says           string
	}{
		{false, noFlaw, 0, 2, "in 3 processes"}, // the first was not asked to
		{true, noFlaw, 3, 3, "in 3 processes"},
		{true, noProbe, 2, 2, "in 1 process: the probe failed"},
	} {
		s := partners{Dir: t.TempDir(), N: 3, Flaw: c.flaw}
		p := open(t, s)
		if err := enter(t, p, "1234567"); err != nil {
			t.Fatal(err)
		}
		deks, items := keys(t, p, 100)
		canary(t, p, kek.NameOf(chain, 2))
		if c.before {
			if err := p.Probe(t.Context(), func(provider.Verdict) {}); err != nil {
				t.Fatal(err)
			}
		}
		probed := s.noted(t, "probe")
		answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
		if err != nil {
			t.Fatal(err)
		}
		opens(t, p, answers, deks)
		if probes := s.noted(t, "probe"); probed != c.probed || probes != c.probes {
			t.Errorf("%v %s: %d probes before and %d after", c.before, c.flaw, probed, probes)
		}
		if got := provider.Workers(p); !strings.Contains(got, c.says) {
			t.Errorf("%v %s: %s", c.before, c.flaw, got)
		}
	}
}

// TestPartnersBound: the canary of a bound version is bound, too.
func TestPartnersBound(t *testing.T) {
	t.Parallel()
	p, _, items, err := partnersOf(t, 2, noFlaw, 100)
	if err != nil {
		t.Fatal(err)
	}
	two := kek.NameOf(chain, 2)
	two.Bound = true
	canary(t, p, two)
	for i := range items {
		items[i].Binding = []byte{1, byte(i)}
	}
	answers, err := p.Rewrap(t.Context(), items, two)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Err != nil {
			t.Fatalf("answer %d: %v", i, a.Err)
		}
	}
	if got := provider.Workers(p); !strings.Contains(got, "in 2 processes") {
		t.Error(got)
	}
}

// TestPartnersUndecryptable: what no process opens is the envelope's fault, whichever was asked.
func TestPartnersUndecryptable(t *testing.T) {
	t.Parallel()
	p, _, items, err := partnersOf(t, 2, noFlaw, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{3, 98} {
		items[i].Wrapped = bytes.Repeat([]byte{1}, 79)
	}
	answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if (a.Err != nil) != (i == 3 || i == 98) {
			t.Errorf("answer %d: %v", i, a.Err)
		}
	}
	if got := provider.Workers(p); !strings.Contains(got, "in 2 processes") {
		t.Error(got)
	}
}

// TestPartnersPIN: a PIN that the token refuses is tried by one process, and given to no other; the right one,
// typed afterwards, is that of all.
func TestPartnersPIN(t *testing.T) {
	t.Parallel()
	s := partners{Dir: t.TempDir(), N: 3}
	p := open(t, s)
	if err := enter(t, p, "wrong"); !errors.Is(err, provider.ErrPINRefused) || s.noted(t, "login") != 1 {
		t.Fatalf("%v, %d logins", err, s.noted(t, "login"))
	}
	if err := enter(t, p, "1234567"); err != nil || s.noted(t, "login") != 4 {
		t.Fatalf("%v, %d logins", err, s.noted(t, "login"))
	}
	if got := provider.Workers(p); !strings.Contains(got, "in 3 processes") {
		t.Error(got)
	}
}

// TestPartnersRefused: a PIN that only a further process is refused counts, and marks the file.
func TestPartnersRefused(t *testing.T) {
	t.Parallel()
	s, dir := partners{Dir: t.TempDir(), N: 2, Flaw: noLogin}, t.TempDir()
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte("1234567\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := login.Login{PIN: login.PIN{File: path, Tries: 3}, Dir: dir}.Into(t.Context(), open(t, s))
	_, marked := os.Lstat(path + ".refused")
	counts, _ := filepath.Glob(filepath.Join(dir, ".attempts-*"))
	if !errors.Is(err, provider.ErrPINRefused) || marked != nil || len(counts) != 1 {
		t.Fatalf("%v, %v, counts %v", err, marked, counts)
	}
	if count, err := os.ReadFile(counts[0]); err != nil || len(count) != 1 {
		t.Errorf("%d attempts are counted, %v", len(count), err)
	}
}

// TestPartnersWithoutCanary: without the target's canary no further process re-wraps, since nothing else tells
// that it has the same key.
func TestPartnersWithoutCanary(t *testing.T) {
	t.Parallel()
	p := open(t, partners{Dir: t.TempDir(), N: 2})
	if err := enter(t, p, "1234567"); err != nil {
		t.Fatal(err)
	}
	deks, items := keys(t, p, 100)
	answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	opens(t, p, answers, deks)
	if got := provider.Workers(p); !strings.Contains(got, "in 1 process: the target's canary was not opened") {
		t.Error(got)
	}
}

// TestPartnersTrial: how many is found out by a trial, where the configuration does not say.
func TestPartnersTrial(t *testing.T) {
	t.Parallel()
	if runtime.NumCPU() < 2 {
		pkcs11test.Missing(t, "a second processor")
	}
	p := open(t, partners{Dir: t.TempDir(), Slow: true})
	if err := enter(t, p, "1234567"); err != nil {
		t.Fatal(err)
	}
	deks, items := keys(t, p, 400)
	canary(t, p, kek.NameOf(chain, 2))
	for !strings.Contains(provider.Workers(p), "times as fast as one") {
		answers, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
		if err != nil {
			t.Fatal(err)
		}
		opens(t, p, answers, deks)
		if strings.Contains(provider.Workers(p), "in 1 process") {
			t.Fatal(provider.Workers(p))
		}
	}
}
