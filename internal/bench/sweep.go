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

// sweep is the rate on a token that takes 1 ms a call, in one of its forms: with each number of sessions, and with as
// many as are found.
type sweep struct {
	modes   []string
	fixed   []measured
	best    float64 // the rate with the best number, measured again beside what is adaptive
	adapted measured
	shares  []float64 // of what is adaptive: each turn by the mean of the best number's before and after it
}

type measured struct {
	sessions int // 0: adaptive
	rate     float64
	workers  string // what it ended with
}

// How often and how long each number is measured: the median counts. What is adaptive has to find its number first,
// and that time counts; the best number has a turn before and after each of its own.
const (
	fixedRounds    = 3
	fixedTime      = 3 * time.Second
	adaptiveRounds = 3
	adaptiveTime   = time.Minute
	besideTime     = 15 * time.Second
)

// sweeps re-wraps one store, by the pipeline, with one number of sessions after
// the other and last with as many as the tuner finds. With each number it takes both forms in turn: two calls for
// each operation, and messages, which are one.
func (l lab) sweeps(ctx context.Context) (two, messages sweep, err error) {
	const records = 5_000_000 // more than all of it gets through
	two.modes, messages.modes = []string{"latency"}, []string{"latency", "messages"}
	parts, err := l.installed(ctx, "pkcs11", "sweep")
	if err != nil {
		return two, messages, err
	}
	if err := write(ctx, parts, "pkcs11", records); err != nil {
		return two, messages, err
	}
	db, err := sqlite.Open(ctx, parts.Store())
	if err != nil {
		return two, messages, err
	}
	defer db.Close()
	for n := 1; n <= 64; n *= 2 {
		var all [2][]measured
		for range fixedRounds {
			for form, s := range []*sweep{&two, &messages} {
				m, err := l.timed(ctx, parts, db, n, fixedTime, s.modes)
				if err != nil {
					return two, messages, err
				}
				all[form] = append(all[form], m)
			}
		}
		two.fixed, messages.fixed = append(two.fixed, middle(all[0])), append(messages.fixed, middle(all[1]))
	}
	for _, s := range []*sweep{&two, &messages} {
		if err := l.adaptive(ctx, parts, db, s); err != nil {
			return two, messages, err
		}
	}
	return two, messages, nil
}

// adaptive measures what is adaptive, and the best number before and after it.
func (l lab) adaptive(ctx context.Context, parts rehearsal.Parts, db *sqlite.Store, s *sweep) error {
	best := slices.MaxFunc(s.fixed, func(a, b measured) int { return cmp.Compare(a.rate, b.rate) })
	var beside, adapted []measured
	for i := range 2*adaptiveRounds + 1 {
		sessions, took, into := best.sessions, besideTime, &beside
		if i%2 == 1 {
			sessions, took, into = 0, adaptiveTime, &adapted
		}
		m, err := l.timed(ctx, parts, db, sessions, took, s.modes)
		if err != nil {
			return err
		}
		*into = append(*into, m)
	}
	for i, m := range adapted {
		s.shares = append(s.shares, 2*m.rate/(beside[i].rate+beside[i+1].rate))
	}
	slices.Sort(s.shares)
	s.best, s.adapted = middle(beside).rate, middle(adapted)
	return nil
}

func middle(all []measured) measured {
	slices.SortFunc(all, func(a, b measured) int { return cmp.Compare(a.rate, b.rate) })
	return all[len(all)/2]
}

// timed re-wraps for some time with a number of sessions and a module of some modes.
func (l lab) timed(
	ctx context.Context, parts rehearsal.Parts, db *sqlite.Store, sessions int, took time.Duration, modes []string,
) (s measured, err error) {
	if err := pkcs11test.Configure(l.proxy, modes...); err != nil {
		return s, err
	}
	p, err := opened(ctx, parts, pkcs11.Config{ModulePath: l.proxy, TokenLabel: rehearsal.TokenLabel, Sessions: sessions})
	if err != nil {
		return s, err
	}
	defer p.Close()
	w := window{bound: took}
	timed, stop := context.WithCancel(ctx)
	defer stop()
	w.stop = stop
	_, err = pipeline(timed, db, p, w.see)
	s = measured{sessions, w.rate(), provider.Workers(p)}
	switch {
	case err == nil:
		err = errors.New("measure: the store had too few records")
	case errors.Is(err, context.Canceled) && ctx.Err() == nil:
		err = nil
	}
	return s, err
}

// window is the time that is measured. It begins with the first page that is written: before that
// the pipeline counts what there is, and a fixed number of sessions is opened. What is adaptive opens and finds them
// in its window, all but what the first page of 32 envelopes shows.
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
