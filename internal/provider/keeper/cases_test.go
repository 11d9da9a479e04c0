package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// kept is a token behind the fault module.
func kept(t *testing.T, change ...func(*pkcs11.Config)) (*pkcs11test.Fault, pkcs11.Config) {
	t.Helper()
	pkcs11test.TokensForPrograms(t, pkcs11test.Label)
	fault := pkcs11test.NewFault(t)
	return fault, config(fault.Module, change...)
}

// short is a deadline that a test can wait for, and that no call misses on a busy machine.
const short = 3 * time.Second

// ends are the ways a module takes its process with it, and what is then said.
var ends = map[string]string{
	"segv": "SIGSEGV", "abort": "SIGABRT", "exit": "exit status 3", "hang": "it did not answer for 3s",
}

// TestP12Ends: a module that hangs, crashes or exits in any call is an error with a
// reason, and the next keeper is as good as new.
func TestP12Ends(t *testing.T) {
	t.Parallel()
	for end, says := range ends {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			everyCallEnds(t, end, says)
		})
	}
}

func everyCallEnds(t *testing.T, end, says string) {
	fault, c := kept(t)
	if end == "hang" {
		c.Deadline = short
	}
	first := open(t, c)
	logIn(t, first)
	_, items := keys(t, first, 4)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	one, two := kek.NameOf(chain, 1), kek.NameOf(chain, 2)
	probe := func(p provider.Provider) error { return p.Probe(t.Context(), func(provider.Verdict) {}) }
	find := func(p provider.Provider) error { _, err := p.Find(t.Context(), one); return err }
	rewrap := func(p provider.Provider) error { _, err := p.Rewrap(t.Context(), items, two); return err }
	// The login is one of the things that are tried, and so not made before.
	enter := func(p provider.Provider) error {
		return errors.Join(pin(t, p).Enter(t.Context(), provider.File(pinFile(t))), pin(t, p).Login(t.Context(), false))
	}
	for _, at := range []struct {
		call string
		do   func(provider.Provider) error
	}{
		{"GetTokenInfo=1", func(p provider.Provider) error { _, err := pin(t, p).Tries(t.Context()); return err }},
		{"Login=1", enter},
		{"GenerateKey=1", probe}, {"EncryptInit=2", probe}, {"Encrypt=500", probe}, {"DecryptInit=3", probe},
		{"FindObjectsInit=1", find}, {"GetAttributeValue=2", find},
		{"GenerateKey=1", func(p provider.Provider) error { return p.Generate(t.Context(), kek.NameOf(chain, 3)) }},
		{"EncryptInit=1", rewrap}, {"Decrypt=2", rewrap},
	} {
		fault.Set()
		p := open(t, c)
		if !strings.HasPrefix(at.call, "Login") && !strings.HasPrefix(at.call, "GetTokenInfo") {
			logIn(t, p)
		}
		fault.Set(at.call + ":" + end)
		err := at.do(p)
		if !errors.Is(err, provider.ErrKeeper) || errors.Is(err, provider.ErrGone) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", at.call, err)
		}
		if _, again := p.Describe(t.Context()); !errors.Is(again, provider.ErrKeeper) ||
			!strings.Contains(again.Error(), says) {
			t.Errorf("%s, the call after: %v", at.call, again)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%s: close: %v", at.call, err)
		}
	}
	fault.Set("Initialize=1:" + end)
	if _, err := tryOpen(t, c); !errors.Is(err, provider.ErrKeeper) || !strings.Contains(err.Error(), says) {
		t.Errorf("Initialize: %v", err)
	}
	fault.Set()
	p := open(t, c)
	logIn(t, p)
	if err := rewrap(p); err != nil {
		t.Errorf("after all of it: %v", err)
	}
	if n := fault.Count("token"); n != 2 {
		t.Errorf("%d keys were made on the token, want the first 2", n)
	}
}

// TestP12Killed: the child is killed from outside, while nothing is asked of it.
func TestP12Killed(t *testing.T) {
	_, c := kept(t)
	p := open(t, c)
	pid := strings.TrimSpace(pkcs11test.Run(t, "pgrep", "-P", fmt.Sprint(os.Getpid()), "-f", "kekceremony keeper"))
	pkcs11test.Run(t, "kill", "-9", pid)
	if _, err := p.Describe(t.Context()); !errors.Is(err, provider.ErrKeeper) ||
		!strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("%v", err)
	}
}

// TestP12Rude: a module that prints, takes over signals, starts threads or is slow
// does its work all the same, and what it prints is nowhere.
func TestP12Rude(t *testing.T) {
	for i, mode := range []string{
		"Login=1:noise", "Login=1:signals", "Login=1:threads", "latency", "EncryptInit=1:sleep300",
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			fault, c := kept(t)
			fault.Set(mode)
			said := captured(t, func() {
				p := open(t, c)
				logIn(t, p)
				_, items := keys(t, p, 3)
				if _, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2)); err != nil {
					t.Errorf("%s: %v", mode, err)
				}
				if err := p.Close(); err != nil {
					t.Errorf("%s: close: %v", mode, err)
				}
			})
			if said != "" {
				t.Errorf("%s: it said %q", mode, said)
			}
		})
	}
}

// captured is what reaches standard output and error meanwhile, of this process and
// of its children.
func captured(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var saved [2]int
	for i, fd := range []int{1, 2} {
		if saved[i], err = syscall.Dup(fd); err == nil {
			err = syscall.Dup3(int(file.Fd()), fd, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	do()
	for i, fd := range []int{1, 2} {
		if err := errors.Join(syscall.Dup3(saved[i], fd, 0), syscall.Close(saved[i])); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestP12Odd: a module that starts a process which keeps the socket, stops itself,
// closes what is not its own or talks on the socket: the call ends, with a reason.
func TestP12Odd(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		modes []string
		says  string
	}{
		{[]string{"EncryptInit=1:fork", "EncryptInit=2:segv"}, "SIGSEGV"},
		{[]string{"EncryptInit=1:fork", "EncryptInit=2:hang"}, "it did not answer for 3s"},
		{[]string{"EncryptInit=1:stop"}, "it did not answer for 3s"},
		{[]string{"EncryptInit=1:close", "EncryptInit=2:hang"}, ""},
		{[]string{"EncryptInit=1:scribble"}, ""},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			fault, cfg := kept(t)
			cfg.Deadline = short
			p := open(t, cfg)
			logIn(t, p)
			_, items := keys(t, p, 3)
			if _, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2)); err != nil {
				t.Fatal(err)
			}
			fault.Set(c.modes...)
			done := make(chan error, 1)
			go func() {
				_, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
				done <- errors.Join(err, p.Close())
			}()
			select {
			case err := <-done:
				if !errors.Is(err, provider.ErrKeeper) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v", err)
				}
			case <-time.After(4 * time.Minute):
				t.Error("it hangs")
			}
		})
	}
}

// TestStoppedAndLarge: a child that was stopped reads nothing, however much is to be said.
func TestStoppedAndLarge(t *testing.T) {
	_, c := kept(t)
	c.Deadline = short
	p := open(t, c)
	logIn(t, p)
	_, items := keys(t, p, 10)
	pid := strings.TrimSpace(pkcs11test.Run(t, "pgrep", "-P", fmt.Sprint(os.Getpid()), "-f", "kekceremony keeper"))
	pkcs11test.Run(t, "kill", "-STOP", pid)
	_, err := p.Rewrap(t.Context(), slices.Repeat(items, 1000), kek.NameOf(chain, 2))
	if !errors.Is(err, provider.ErrKeeper) {
		t.Errorf("%v", err)
	}
}

// TestSlowToken: the probe of a token that is slow, and says so, is no hanging one.
func TestSlowToken(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	c.Deadline = 5 * time.Second
	p := open(t, c)
	logIn(t, p)
	fault.Set("EncryptInit+1:sleep6")
	progress := 0
	err := p.Probe(t.Context(), func(v provider.Verdict) {
		if v.Outcome == provider.Trying && strings.Contains(v.Detail, "of 1000 wraps") {
			progress++
		}
	})
	if err != nil || progress == 0 {
		t.Errorf("%v, told %d times", err, progress)
	}
}

// TestBatchInWork: how many work may be asked while a batch is in work.
func TestBatchInWork(t *testing.T) {
	t.Parallel()
	_, c := kept(t)
	p := open(t, c)
	logIn(t, p)
	_, items := keys(t, p, 50)
	stop := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = provider.Workers(p)
			}
		}
	})
	for range 5 {
		if _, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	asking.Wait()
}

// TestAgentWithoutKeeper: an agent whose keeper is gone, before the first heartbeat too,
// starts another.
func TestAgentWithoutKeeper(t *testing.T) {
	t.Parallel()
	_, c := kept(t)
	db, err := sqlite.Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	gone := open(t, c)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	opened := 0
	a := fleet.Member{Store: db, Provider: gone, Chain: chain, Role: "app", Every: 50 * time.Millisecond,
		Report: func(string) {},
		Open: func(context.Context) (provider.Provider, error) {
			if opened++; opened == 1 {
				return nil, provider.ErrGone
			}
			return open(t, c), nil
		}}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for guard := time.After(4 * time.Minute); ; {
		heartbeats, err := db.Heartbeats(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if len(heartbeats) > 0 {
			break
		}
		select {
		case <-tick.C:
		case <-guard:
			t.Fatal("no heartbeat")
		}
	}
	stop()
	if err := <-ended; err != nil || opened != 2 {
		t.Errorf("%v, opened %d times", err, opened)
	}
}

// TestP15: the module is finalized between two calls, never during one.
func TestP15(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	p := open(t, c)
	logIn(t, p)
	_, items := keys(t, p, 100)
	fault.Set("Decrypt=20:sleep1000")
	done := make(chan error, 1)
	go func() {
		_, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
		done <- err
	}()
	fault.Await("sleep", 0) // it is in the middle
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil && !errors.Is(err, provider.ErrKeeper) {
		t.Error(err)
	}
	if n, busy := fault.Count("finalize"), fault.Count("finalize while busy"); n != 1 || busy != 0 {
		t.Errorf("finalized %d times, %d of them while it was in use", n, busy)
	}
}

// TestCalledOff: a call whose context ends is given up at once when it can be, and
// ended with the keeper when it cannot.
func TestCalledOff(t *testing.T) {
	t.Parallel()
	// A batch is many chunks, and between two of them it stops.
	fault, c := kept(t, func(c *pkcs11.Config) { c.Sessions = 2 })
	p := open(t, c)
	logIn(t, p)
	_, items := keys(t, p, 400)
	items = slices.Repeat(items, 20)
	fault.Set("EncryptInit+1:sleep2")
	whole := time.Duration(len(items)/2) * 2 * time.Millisecond
	began := time.Now()
	if _, err := p.Rewrap(calledOff(t, fault, "sleep"), items, kek.NameOf(chain, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > whole/2 {
		t.Errorf("it took %s, the whole batch %s", took, whole)
	}
	fault.Set()
	if _, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2)); err != nil {
		t.Errorf("the call after: %v", err)
	}
	fault.Set("EncryptInit=1:hang")
	if _, err := p.Rewrap(calledOff(t, fault, "hang"), items, kek.NameOf(chain, 2)); !errors.Is(err, provider.ErrKeeper) ||
		!strings.Contains(err.Error(), "did not stop") {
		t.Errorf("%v", err)
	}
}

// calledOff is a context that ends once a call into the module hangs or sleeps.
func calledOff(t *testing.T, fault *pkcs11test.Fault, in string) context.Context {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	before := fault.Count(in)
	go func() {
		fault.Await(in, before)
		stop()
	}()
	return ctx
}

// TestP14Known: what a module is gets told before anything of it runs, and by this
// process: a module could tell of itself what it likes.
func TestP14Known(t *testing.T) {
	t.Parallel()
	fault, c := kept(t)
	fault.Set("Initialize=1:segv")
	digest, err := pkcs11.Digest(fault.Module)
	if err != nil {
		t.Fatal(err)
	}
	unknown := errors.New("nobody knows it")
	if _, err := keeper.Open(t.Context(), c, nil, func(about map[string]string) error {
		if len(about) != 1 || about["module_sha256"] != digest {
			t.Errorf("told %v, want %s", about, digest)
		}
		return unknown
	}); !errors.Is(err, unknown) || errors.Is(err, provider.ErrKeeper) {
		t.Errorf("got %v", err)
	}
	another := c
	another.Digest = strings.Repeat("0", 64) // it became another one since it was told
	if _, err := another.Open(); !errors.Is(err, provider.ErrUnguarded) {
		t.Errorf("got %v", err)
	}
}
