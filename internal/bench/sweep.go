package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// swept is the rate with a number of sessions on a token that takes 1 ms a call: by two calls for
// each operation, and by messages, which are one.
type swept struct {
	sessions      int // 0: adaptive
	two, messages measured
}

type measured struct {
	rate    float64
	workers string // what it ended with
}

// How often and how long each count is measured: the median counts. The adaptive one has to find its
// count first, once, and that time counts.
const (
	fixedRounds  = 3
	fixedTime    = 3 * time.Second
	adaptiveTime = 30 * time.Second
)

// sweep re-wraps one store, by the pipeline, with one number of sessions after
// the other and last with as many as the tuner finds. With each number it takes both forms in turn.
func (l lab) sweep(ctx context.Context) (all []swept, err error) {
	const records = 1_000_000 // more than all of it gets through
	parts, err := l.installed(ctx, "pkcs11", "sweep")
	if err != nil {
		return nil, err
	}
	if err := write(ctx, parts, "pkcs11", records); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, parts.Store())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for _, n := range []int{1, 2, 4, 8, 16, 32, 64, 0} {
		s, err := l.both(ctx, parts, db, n)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// both takes the two forms in turn.
func (l lab) both(ctx context.Context, parts rehearsal.Parts, db *sqlite.Store, sessions int) (s swept, err error) {
	rounds := fixedRounds
	if sessions == 0 {
		rounds = 1
	}
	var two, messages []measured
	for range rounds {
		a, err := l.timed(ctx, parts, db, sessions, "latency")
		if err != nil {
			return s, err
		}
		b, err := l.timed(ctx, parts, db, sessions, "latency", "messages")
		if err != nil {
			return s, err
		}
		two, messages = append(two, a), append(messages, b)
	}
	return swept{sessions, middle(two), middle(messages)}, nil
}

func middle(all []measured) measured {
	slices.SortFunc(all, func(a, b measured) int { return cmp.Compare(a.rate, b.rate) })
	return all[len(all)/2]
}

// timed re-wraps for some time with a number of sessions and a module of some modes.
func (l lab) timed(
	ctx context.Context, parts rehearsal.Parts, db *sqlite.Store, sessions int, modes ...string,
) (s measured, err error) {
	if err := pkcs11test.Configure(l.proxy, modes...); err != nil {
		return s, err
	}
	p, err := opened(ctx, parts, pkcs11.Config{ModulePath: l.proxy, TokenLabel: rehearsal.TokenLabel, Sessions: sessions})
	if err != nil {
		return s, err
	}
	defer p.Close()
	w := window{bound: fixedTime}
	if sessions == 0 {
		w.bound = adaptiveTime
	}
	timed, stop := context.WithCancel(ctx)
	defer stop()
	w.stop = stop
	_, err = pipeline(timed, db, p, w.see)
	s.rate, s.workers = w.rate(), provider.Workers(p)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		err = nil
	}
	return s, err
}

// window is the time that is measured. It begins with the first page that is written: before that
// the pipeline counts what there is.
type window struct {
	bound time.Duration
	stop  func()

	mu          sync.Mutex
	began, last time.Time
	first, done int
}

func (w *window) see(p rewrap.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch {
	case p.Rewrapped == w.done:
	case w.began.IsZero():
		w.began, w.first = now, p.Rewrapped
		time.AfterFunc(w.bound, w.stop)
		fallthrough
	default:
		w.last, w.done = now, p.Rewrapped
	}
}

func (w *window) rate() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return float64(w.done-w.first) / w.last.Sub(w.began).Seconds()
}

// pipeline is the rotation's re-wrap to version 2, without the fleet.
func pipeline(
	ctx context.Context, db *sqlite.Store, p provider.Provider, report func(rewrap.Progress),
) (rewrap.Counts, error) {
	lock, err := db.Lock(ctx)
	if err != nil {
		return rewrap.Counts{}, err
	}
	if _, err = p.Find(ctx, kek.NameOf(lock.Chain, 2)); errors.Is(err, provider.ErrNoKey) {
		err = p.Generate(ctx, kek.NameOf(lock.Chain, 2))
	}
	if err != nil {
		return rewrap.Counts{}, err
	}
	return rewrap.Run(ctx, rewrap.Job{
		Store:     db,
		Provider:  p,
		Chain:     lock.Chain,
		To:        2,
		Catalogue: envelope.DefaultCatalogue(),
		Control:   rewrap.NewControl(0),
		Reserve:   func(ctx context.Context, n int) error { _, err := db.ReserveWraps(ctx, 2, n); return err },
		Gate:      func(context.Context) (string, error) { return "", nil },
		Canary:    func(context.Context, kek.Version) error { return nil },
		Report:    report,
	})
}
