package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/envelope"
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
	target := p.source(ctx, to)
	if target.err != nil {
		return nil, target.err
	}
	from := map[kek.Version]source{}
	for _, it := range items {
		if _, ok := from[it.From.Version]; !ok {
			from[it.From.Version] = p.source(ctx, it.From)
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
	var working atomic.Int64
	working.Store(int64(n))
	p.share(n, func(s *session) {
		for ctx.Err() == nil && failed.Load() == nil && !p.tooMany(&working) {
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
	if p.sessionLost.Swap(false) {
		clear(p.handles)
		clear(p.sources)
	}
	if err := failed.Load(); err != nil {
		return nil, fmt.Errorf("re-wrap with %s: %w", to.Label, *err)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.tune.observe(len(items), time.Since(began))
	return out, nil
}

// tooMany takes one of the sessions that are in work out, when the token was found
// busy since the batch began.
func (p *Provider) tooMany(working *atomic.Int64) bool {
	n := working.Load()
	return n > int64(p.tune.sessions()) && n > 1 && working.CompareAndSwap(n, n-1)
}

// maxChunk bounds the envelopes that one call into the module does.
const maxChunk = 256

// source is a key of a batch, or why there is none. What it wrapped shows after a lost
// session that the key of its name still is the same.
type source struct {
	name    kek.Name
	key     pkcs11.ObjectHandle
	value   []byte // random, of no use
	wrapped []byte // value, by key
	err     error
}

// source is the key of a name, with a value that it wrapped.
func (p *Provider) source(ctx context.Context, n kek.Name) source {
	s, ok := p.sources[n.Version]
	if ok {
		return s
	}
	s = source{name: n, value: make([]byte, kek.Size)}
	if s.key, s.err = p.handle(ctx, n); s.err != nil {
		return s
	}
	if _, s.err = rand.Read(s.value); s.err != nil {
		return s
	}
	for pause := busyPause; ; pause *= 4 {
		if s.wrapped, s.err = p.wrap(s.key, s.value, nil); !isBusy(s.err) || pause > maxBusyPause {
			break
		}
		time.Sleep(pause)
		if s.err = p.reopen(); s.err != nil {
			break
		}
	}
	if s.err = named(s.err); s.err == nil {
		p.sources[n.Version] = s
	}
	return s
}

// findAgain finds a key by its name, and demands that it unwraps what it wrapped.
func (s *session) findAgain(k *source) error {
	key, err := s.only(k.name)
	if err != nil {
		return err
	}
	w, err := envelope.SplitWrapped(k.wrapped)
	if err != nil {
		return err
	}
	back := make([]byte, kek.Size)
	if err := s.unwrap(key, w, nil, back); isGone(err) || isLost(err) || isBusy(err) {
		return err
	} else if err != nil || !bytes.Equal(back, k.value) {
		return fmt.Errorf("%w: after a lost session %s is another key", provider.ErrGone, k.name.Label)
	}
	k.key = key
	return nil
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
