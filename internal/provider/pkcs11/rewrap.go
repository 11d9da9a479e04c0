package pkcs11

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Rewrap implements provider.Provider: the items are shared out among as many
// sessions as are fastest. It returns provider.ErrGone when the token is not
// there any more.
func (p *Provider) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	if len(items) == 0 {
		return nil, ctx.Err()
	}
	if p.iv == "" {
		if err := p.findIVMode(); err != nil {
			return nil, err
		}
	}
	target, err := p.handle(ctx, to)
	if err != nil {
		return nil, err
	}
	from := map[kek.Version]source{}
	for _, it := range items {
		if _, ok := from[it.From.Version]; !ok {
			h, err := p.handle(ctx, it.From)
			from[it.From.Version] = source{h, err}
		}
	}
	out := make([]provider.Rewrapped, len(items))
	n := min(p.tune.sessions(), len(items))
	size := len(items) // for one session in one call
	if n > 1 {
		size = max(1, min(len(items)/(4*n), maxChunk)) // small enough that no session waits long for the last
	}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	began := time.Now()
	p.share(n, func(s *session) {
		for ctx.Err() == nil && failed.Load() == nil {
			end := int(next.Add(int64(size)))
			begin := min(end-size, len(items))
			end = min(end, len(items))
			if begin == end {
				return
			}
			if err := s.rewrap(items[begin:end], from, target, out[begin:end]); err != nil {
				failed.Store(&err)
			}
		}
	})
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.tune.observe(len(items), time.Since(began))
	for _, a := range out {
		if a.Err != nil && (isGone(a.Err) || isLost(a.Err)) {
			return nil, fmt.Errorf("re-wrap with %s: %w: %w", to.Label, provider.ErrGone, a.Err)
		}
	}
	return out, nil
}

// maxChunk bounds the envelopes that one call into the module does.
const maxChunk = 256

// source is the key that items come from, or why there is none.
type source struct {
	key pkcs11.ObjectHandle
	err error
}

// share has n sessions do a job at once: the first one alone, or n workers.
func (p *Provider) share(n int, job func(*session)) {
	for len(p.workers) < n && n > 1 {
		s, err := p.openSession()
		if err != nil {
			p.tune.limit(len(p.workers))
			n = len(p.workers)
			break
		}
		s.jobs = make(chan func(*session))
		go s.work()
		p.workers = append(p.workers, s)
	}
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

// Workers implements provider.Provider.
func (p *Provider) Workers() string { return p.tune.String() }
