package keeper

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/paired"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// many is a provider in several processes. The first is asked for everything, and the others re-wrap beside
// it: many modules do one thing at a time in each process. A process more re-wraps only if it is as much
// faster as a trial shows, it passed the probe, describes itself as the first does, and opens the target's
// canary to what the first opens it to.
type many struct {
	withPIN
	child   child
	sockets []*os.File // to the first, one for each further process that is to be started
	fixed   bool       // as many as configured: there is no trial

	more    []withPIN
	canary  map[kek.Version]openedCanary // the last that the first opened
	proven  map[kek.Version]bool         // each of more opened it
	trial   paired.Trial
	decided bool

	mu  sync.Mutex // of what follows: it is asked for while a batch is in work
	n   int        // processes beside the first
	why string     // why it is so many
}

// openedCanary is what a canary was opened to, as a digest.
type openedCanary struct {
	wrapped []byte
	value   [sha256.Size]byte
}

// autoProcesses bounds how many are tried where the configuration does not say.
const autoProcesses = 4

// further is how many processes a provider may get beside the first.
func further(s provider.Settings) int {
	p, ok := s.(provider.Processes)
	switch {
	case !ok:
		return 0
	case p.Processes() > 0:
		return p.Processes() - 1
	}
	return min(runtime.NumCPU(), autoProcesses) - 1
}

func fixes(s provider.Settings) bool {
	p, ok := s.(provider.Processes)
	return ok && p.Processes() > 0
}

// Login implements provider.PINLogin. Once the first process has logged in, the others are started, one after
// the other: modules share files. What keeps them from it is no error: it is slower without.
func (m *many) Login(ctx context.Context, final bool) error {
	if err := m.withPIN.Login(ctx, final); err != nil {
		return err
	}
	var err error
	for _, socket := range m.sockets {
		if err = m.join(ctx, socket); err != nil {
			break
		}
	}
	closeAll(m.sockets)
	m.sockets = nil
	m.have("each was asked for", err)
	return ctx.Err()
}

// join starts one more process, which gets the PIN over its socket.
func (m *many) join(ctx context.Context, socket *os.File) error {
	about, err := m.Describe(ctx)
	if err != nil {
		return err
	}
	p, pin, err := m.child.open(ctx, nil, []*os.File{socket})
	if err != nil {
		return err
	}
	if err = same(ctx, p, about); err == nil && !pin {
		err = errNoPIN
	}
	if err == nil {
		err = withPIN{p}.enterGiven(ctx)
	}
	if err != nil {
		return errors.Join(err, p.Close())
	}
	m.more = append(m.more, withPIN{p})
	return nil
}

// enterGiven logs in with what another keeper gives. The token took that PIN just now, so it is no guess.
func (p withPIN) enterGiven(ctx context.Context) error {
	tries, err := p.Tries(ctx)
	if err != nil || tries.In {
		return err
	}
	if !tries.Ask {
		return errors.New("the token has a keypad")
	}
	if _, err := p.ask(ctx, "Enter", Request{Given: true}, p.deadline); err != nil {
		return err
	}
	return p.Login(ctx, false)
}

// same demands that a process describes what it has as the first does.
func same(ctx context.Context, p *Provider, about map[string]string) error {
	got, err := p.Describe(ctx)
	if err == nil && !maps.Equal(got, about) {
		err = errors.New("another process describes itself otherwise")
	}
	return err
}

// Unwrap implements provider.Provider.
func (m *many) Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error {
	err := m.withPIN.Unwrap(ctx, by, wrapped, into)
	if err == nil {
		if m.canary == nil {
			m.canary = map[kek.Version]openedCanary{}
		}
		m.canary[by.Version] = openedCanary{bytes.Clone(wrapped), sha256.Sum256(into)}
		delete(m.proven, by.Version)
	}
	return err
}

// Rewrap implements provider.Provider.
func (m *many) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	all := m.turn(ctx, to)
	began := time.Now()
	var out []provider.Rewrapped
	var err error
	if all {
		out, err = m.divided(ctx, items, to)
	} else {
		out, err = m.withPIN.Rewrap(ctx, items, to)
	}
	if err == nil {
		m.observe(len(items), time.Since(began))
	}
	return out, err
}

// turn reports whether all processes are to re-wrap the next batch.
func (m *many) turn(ctx context.Context, to kek.Name) bool {
	if len(m.more) == 0 || !m.decided && !m.fixed && (!m.settled || !m.trial.New) {
		return false
	}
	if !m.proven[to.Version] {
		if err := m.prove(ctx, to); err != nil {
			m.drop(err)
			return false
		}
	}
	return true
}

// prove demands that each process has the very key of the target that the first has: it alone is checked by
// nothing that they unwrap.
func (m *many) prove(ctx context.Context, to kek.Name) error {
	if m.proven == nil {
		if err := m.probe(ctx); err != nil {
			return err
		}
		m.proven = map[kek.Version]bool{}
	}
	known, ok := m.canary[to.Version]
	if !ok {
		return errors.New("the target's canary was not opened")
	}
	value := make([]byte, kek.Size)
	for _, p := range m.more {
		if err := p.Unwrap(ctx, to, known.wrapped, value); err != nil {
			return err
		}
		if sha256.Sum256(value) != known.value {
			return fmt.Errorf("another process has another key %s", to.Label)
		}
	}
	m.proven[to.Version] = true
	return nil
}

// probe probes each process, as the first was: a module may keep the rules in one only.
func (m *many) probe(ctx context.Context) error {
	about, err := m.Describe(ctx)
	for _, p := range m.more {
		if err == nil {
			err = p.Probe(ctx, func(provider.Verdict) {})
		}
		if err == nil {
			err = same(ctx, p.Provider, about)
		}
	}
	return err
}

// divided has each process re-wrap its part.
func (m *many) divided(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	all := append([]withPIN{m.withPIN}, m.more...)
	answers, errs := make([][]provider.Rewrapped, len(all)), make([]error, len(all))
	var working sync.WaitGroup
	for i, p := range all {
		part := items[i*len(items)/len(all) : (i+1)*len(items)/len(all)]
		if len(part) > 0 {
			working.Go(func() { answers[i], errs[i] = p.Rewrap(ctx, part, to) })
		}
	}
	working.Wait()
	out := make([]provider.Rewrapped, 0, len(items))
	for i := range all {
		if errs[i] != nil { // another may have failed because this one did
			return nil, errs[i]
		}
		out = append(out, answers[i]...)
	}
	return out, nil
}

// observe takes the time of a batch, and decides whether more processes are faster. It is decided once: those
// that gain nothing are ended.
func (m *many) observe(items int, took time.Duration) {
	if len(m.more) == 0 || m.fixed || m.decided || !m.settled {
		return
	}
	m.trial.Observe(items, took)
	decided, faster := m.trial.Decided()
	switch {
	case !decided:
	case faster:
		m.decided = true
		m.have(fmt.Sprintf("%.2f times as fast as one", m.trial.Ratio()), nil)
	default:
		m.drop(errors.New("more are not faster"))
	}
}

// drop ends the further processes.
func (m *many) drop(why error) {
	for _, p := range m.more {
		_ = p.Close() // it has nothing that is needed
	}
	m.more = nil
	m.have("", why)
}

// have says how many processes there are beside the first, and why, or why not more.
func (m *many) have(why string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n, m.why = len(m.more), why; err != nil {
		m.why = printable.Text(err.Error())
	}
}

// Workers implements provider.Parallel.
func (m *many) Workers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	said := m.withPIN.Workers()
	switch {
	case m.n > 0:
		return fmt.Sprintf("%s; in %d processes: %s", said, m.n+1, m.why)
	case m.why != "":
		return fmt.Sprintf("%s; in 1 process: %s", said, m.why)
	}
	return said
}

// Close implements provider.Provider.
func (m *many) Close() error {
	closeAll(m.sockets)
	m.sockets = nil
	m.drop(errors.New("closed"))
	return m.withPIN.Close()
}
