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
// and keys (same.go), and a trial shows that all together are faster than the first alone. Until then no
// process tries another number of sessions: that is tried in those that stay, and a difference has one cause.
// That an envelope cannot be opened is the first one's to say.
type many struct {
	withPIN
	child   child
	sockets []*os.File // to the first, one for each process that is to be started
	fixed   bool       // as many as configured: there is no trial

	more   []withPIN
	probed bool                         // each of more was
	canary map[kek.Version]openedCanary // the last that the first opened
	proven map[kek.Version]bool         // each of more opened it

	trial   paired.Trial
	tried   bool      // all worked once: what that took is not counted, each began
	ended   int       // trials that were decided
	next    time.Time // when another one may begin
	decided bool      // that all are faster

	mu  sync.Mutex // of what follows: it is asked for while a batch is in work
	n   int        // processes that work; 0: none has joined
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
	autoProcesses = 4 // are tried at most
	fewItems      = 8 // for each process; the first does fewer alone
	// A machine that is busy shows no gain, and what is ended is not there when it is so no more.
	trials     = 3
	trialPause = 5 * time.Second // between two
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

// Rewrap implements provider.Provider: by the first process, or by all. A page of a trial is not cut: the fewer items
// there are for each session of each process, the more of them wait for the last.
func (m *many) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	trying := len(m.more) > 0 && !m.fixed && !m.decided && time.Now().After(m.next)
	for _, p := range m.all() {
		p.Steady(trying)
	}
	if len(items) < fewItems*(1+len(m.more)) {
		return m.withPIN.Rewrap(ctx, items, to)
	}
	together := len(m.more) > 0 && (m.fixed || m.decided || trying && m.trial.New)
	if together {
		if err := m.prove(ctx, to); err != nil {
			return nil, err
		}
		together = len(m.more) > 0
	}
	rewrap := m.withPIN.Rewrap
	if together {
		rewrap = m.divided
	}
	began := time.Now()
	out, err := rewrap(ctx, items, to)
	if err == nil && trying && len(m.more) > 0 && (!together || m.tried) {
		m.observe(len(items), time.Since(began))
	}
	m.tried = m.tried || together
	return out, err
}

func (m *many) all() []withPIN { return append([]withPIN{m.withPIN}, m.more...) }

// observe takes the time of a batch of the trial, and decides whether more processes are faster. That they are
// is decided once; those that gain nothing in several trials are ended.
func (m *many) observe(items int, took time.Duration) {
	m.trial.Observe(items, took)
	decided, faster := m.trial.Decided()
	if !decided {
		return
	}
	ratio := m.trial.Ratio()
	m.trial = paired.Trial{}
	switch m.ended++; {
	case faster:
		m.decided = true
		m.have(1+len(m.more), fmt.Sprintf("%.2f times as fast as one", ratio))
	case m.ended == trials:
		m.drop(errors.New("more are not faster"))
	default:
		m.next = time.Now().Add(trialPause)
		m.have(1, fmt.Sprintf("more were not faster, %.2f times; to be tried again", ratio))
	}
}

// divided has the processes re-wrap parts, each the next one when it is done: what slows one down leaves more
// to the others.
func (m *many) divided(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	all := m.all()
	d := division{items: items, out: make([]provider.Rewrapped, len(items)), processes: len(all)}
	errs := make([]error, len(all))
	var working sync.WaitGroup
	for i, p := range all {
		first := d.take()
		working.Go(func() {
			if errs[i] = d.work(ctx, p, to, first, i > 0); errs[i] != nil {
				d.end()
			}
		})
	}
	working.Wait()
	if err := errors.Join(errs...); err != nil {
		if ctx.Err() == nil && errors.Join(errs[1:]...) != nil { // to be tried again without them
			m.drop(errors.Join(errs[1:]...))
		}
		return nil, err
	}
	if err := m.confirm(ctx, &d, to); err != nil {
		return nil, err
	}
	return d.out, nil
}

// confirm has the first process try again what another could not open: that it lacks a key is not the
// envelope's fault.
func (m *many) confirm(ctx context.Context, d *division, to kek.Name) error {
	if len(d.failed) == 0 {
		return nil
	}
	failed := make([]provider.Item, len(d.failed))
	for i, at := range d.failed {
		failed[i] = d.items[at]
	}
	again, err := m.withPIN.Rewrap(ctx, failed, to)
	for i, a := range again {
		if err == nil && a.Err == nil {
			err = fmt.Errorf("re-wrap with %s: only one process opens an envelope: %w: the other: %w", to.Label,
				provider.ErrSplit, d.out[d.failed[i]].Err)
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
	m.have(1, why.Error())
}

// have says how many processes work, and why not more or fewer.
func (m *many) have(n int, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n, m.why = n, printable.Text(why)
}

// Workers implements provider.Parallel.
func (m *many) Workers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch said := m.withPIN.Workers(); m.n {
	case 0:
		return said
	case 1:
		return fmt.Sprintf("%s; in 1 process: %s", said, m.why)
	default:
		return fmt.Sprintf("%s; in %d processes: %s", said, m.n, m.why)
	}
}

// Close implements provider.Provider.
func (m *many) Close() error {
	closeAll(m.sockets)
	m.sockets = nil
	m.drop(errors.New("closed"))
	return m.withPIN.Close()
}
