package pkcs11

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Rewrap implements provider.Provider: the items are shared out among as many
// sessions as are fastest. It returns provider.ErrGone when the token is not
// there any more.
func (p *Provider) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	out := make([]provider.Rewrapped, len(items))
	for done := 0; done < len(items); {
		n := p.tune.piece(len(items) - done)
		if err := p.rewrap(ctx, items[done:done+n], to, out[done:done+n]); err != nil {
			return nil, err
		}
		done += n
	}
	return out, ctx.Err()
}

// rewrap does some items with one number of sessions.
func (p *Provider) rewrap(ctx context.Context, items []provider.Item, to kek.Name, out []provider.Rewrapped) error {
	if p.iv == "" || p.messages == nil {
		if err := p.onTemporaryKey(p.findForms); err != nil {
			return err
		}
	}
	keys, err := p.keyring(ctx, items, to)
	if err != nil {
		return fmt.Errorf("re-wrap with %s: %w", to.Label, err)
	}
	n := p.workersFor(min(p.tune.sessions(), len(items)))
	rest := shares{items: len(items), sessions: n}
	var working atomic.Int64
	var failed atomic.Pointer[error]
	working.Store(int64(n))
	keys.over = func() bool { return ctx.Err() != nil || failed.Load() != nil }
	began := time.Now()
	p.share(n, func(s *session) {
		mine := keys.clone()
		for !mine.over() && !p.tooMany(&working) {
			begin, end := rest.take()
			if begin == end {
				return
			}
			if err := s.rewrap(items[begin:end], &mine, out[begin:end]); err != nil {
				failed.Store(&err)
			}
		}
	})
	if p.sessionLost.Swap(false) {
		clear(p.handles)
		clear(p.sources)
		p.dropLanes()
	}
	switch err := failed.Load(); {
	case err != nil:
		return fmt.Errorf("re-wrap with %s: %w", to.Label, *err)
	case ctx.Err() != nil:
		return ctx.Err()
	case rest.taken < len(items):
		return fmt.Errorf("re-wrap with %s: only %d of %d were tried", to.Label, rest.taken, len(items))
	}
	p.tune.observe(len(items), time.Since(began))
	return nil
}

// tooMany takes one of the sessions that are in work out, when the token was found
// busy since the batch began.
func (p *Provider) tooMany(working *atomic.Int64) bool {
	n := working.Load()
	return n > int64(p.tune.sessions()) && n > 1 && working.CompareAndSwap(n, n-1)
}

// workersFor opens sessions until there are n that work at once, or as many as the
// token has, and returns how many: at least the first one.
func (p *Provider) workersFor(n int) int {
	for len(p.workers) < n && n > 1 {
		s, err := p.openSession()
		if err != nil && p.dropLanes() { // a session that works is worth more
			p.messages.giveUp(err)
			continue
		}
		if err != nil {
			p.tune.limit(len(p.workers))
			return max(1, len(p.workers))
		}
		s.jobs = make(chan func(*session))
		go s.work()
		p.workers = append(p.workers, s)
	}
	return n
}

// share has n sessions, of those that workersFor opened, do a job at once: the first
// one alone, or n workers.
func (p *Provider) share(n int, job func(*session)) {
	if n < 2 {
		job(p.session)
		return
	}
	var all sync.WaitGroup
	all.Add(n)
	for _, s := range p.workers[:n] {
		s.jobs <- func(s *session) {
			defer all.Done()
			job(s)
		}
	}
	all.Wait()
}

// Workers implements provider.Parallel.
func (p *Provider) Workers() string { return p.tune.String() + p.messages.String() }

// Steady implements provider.Parallel.
func (p *Provider) Steady(on bool) { p.tune.steady(on) }
