package keeper

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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
// it: many modules do one thing at a time in each process. The others work only if they have the same token
// and keys (same.go), and a trial shows that all together are faster than the first alone. That an envelope
// cannot be opened is the first one's to say.
type many struct {
	withPIN
	child   child
	sockets []*os.File // to the first, one for each process that is to be started
	fixed   bool       // as many as configured: there is no trial

	more   []withPIN
	canary map[kek.Version]openedCanary // the last that the first opened
	proven map[kek.Version]bool         // each of more opened it

	trial   paired.Trial
	tried   bool // all worked once: what that took is not counted, each began
	decided bool

	mu  sync.Mutex // of what follows: it is asked for while a batch is in work
	n   int        // processes beside the first
	why string     // why it is so many
}

// openedCanary is what a canary was opened to, as a digest, and by which key.
type openedCanary struct {
	by      kek.Name
	wrapped []byte
	value   [sha256.Size]byte
}

// What the configuration does not say.
const (
	autoProcesses = 4  // are tried at most
	fewItems      = 32 // for each process; the first does fewer alone
)

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

// Unwrap implements provider.Provider.
func (m *many) Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error {
	err := m.withPIN.Unwrap(ctx, by, wrapped, into)
	if err == nil {
		if m.canary == nil {
			m.canary = map[kek.Version]openedCanary{}
		}
		m.canary[by.Version] = openedCanary{by, bytes.Clone(wrapped), sha256.Sum256(into)}
		delete(m.proven, by.Version)
	}
	return err
}

// Rewrap implements provider.Provider.
func (m *many) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	if len(m.more) == 0 || len(items) < fewItems*(1+len(m.more)) || !m.allSettled() && !m.fixed {
		return m.withPIN.Rewrap(ctx, items, to)
	}
	trying := !m.fixed && !m.decided
	if trying && !m.trial.New {
		began := time.Now()
		out, err := m.withPIN.Rewrap(ctx, items, to)
		if err == nil && m.allSettled() {
			m.observe(len(items), time.Since(began))
		}
		return out, err
	}
	if err := m.prove(ctx, to); err != nil || len(m.more) == 0 {
		if err != nil {
			return nil, err
		}
		return m.withPIN.Rewrap(ctx, items, to)
	}
	began := time.Now()
	out, err := m.divided(ctx, items, to)
	if first := !m.tried; err == nil && trying && !first && m.allSettled() {
		m.observe(len(items), time.Since(began))
	}
	m.tried = true
	return out, err
}

// allSettled reports whether no process tries another number of sessions. One that has not worked yet begins
// with what the probe found.
func (m *many) allSettled() bool {
	if !m.Settled() {
		return false
	}
	for _, p := range m.more {
		if m.tried && !p.Settled() {
			return false
		}
	}
	return true
}

// observe takes the time of a batch of the trial, and decides whether more processes are faster. It is decided
// once: those that gain nothing are ended.
func (m *many) observe(items int, took time.Duration) {
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

// divided has each process re-wrap its part.
func (m *many) divided(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	all := append([]withPIN{m.withPIN}, m.more...)
	from := func(i int) int { return i * len(items) / len(all) }
	answers, errs := make([][]provider.Rewrapped, len(all)), make([]error, len(all))
	var working sync.WaitGroup
	for i, p := range all {
		working.Go(func() { answers[i], errs[i] = p.Rewrap(ctx, items[from(i):from(i+1)], to) })
	}
	working.Wait()
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() == nil && errors.Join(errs[1:]...) != nil { // to be tried again without them
			m.drop(errors.Join(errs[1:]...))
		}
		return nil, err
	}
	out := make([]provider.Rewrapped, 0, len(items))
	for i := range all {
		out = append(out, answers[i]...)
	}
	if err := m.confirm(ctx, items[from(1):], out[from(1):], to); err != nil {
		return nil, err
	}
	return out, nil
}

// confirm has the first process try again what another could not open: that it lacks a key is not the
// envelope's fault.
func (m *many) confirm(ctx context.Context, items []provider.Item, out []provider.Rewrapped, to kek.Name) error {
	var failed []provider.Item
	var cause error
	for i, a := range out {
		if a.Err != nil {
			failed, cause = append(failed, items[i]), a.Err
		}
	}
	if len(failed) == 0 {
		return nil
	}
	again, err := m.withPIN.Rewrap(ctx, failed, to)
	for _, a := range again {
		if err == nil && a.Err == nil {
			err = fmt.Errorf("re-wrap with %s: only one process opens an envelope: %w: the other: %w", to.Label,
				provider.ErrSplit, cause)
			m.drop(err)
		}
	}
	return err
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
