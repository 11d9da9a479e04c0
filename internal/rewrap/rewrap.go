// Package rewrap moves every envelope of a catalogue to one version of the KEK:
// read a page, re-wrap, check, compare-and-swap, and again until a whole pass
// finds nothing. It never holds a DEK: the provider does.
package rewrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Job is one re-wrap of everything to one version.
type Job struct {
	Store     store.Envelopes
	Provider  provider.Provider
	Chain     kek.Chain
	To        kek.Version
	Catalogue envelope.Catalogue
	// Gate is asked before each page. While it gives a reason, the job waits.
	Gate func(context.Context) (why string, err error)
	// Canary proves that a version's key works: an envelope that fails while
	// its key works is poison, otherwise the provider is at fault.
	Canary  func(context.Context, kek.Version) error
	Control *Control
	Report  func(Progress)
}

// Counts add up over all passes.
type Counts struct {
	Rewrapped int // envelopes written
	Conflicts int // swaps that lost against the application; the next pass takes them
	Poison    int // envelopes of the last pass that no key opens
	Passes    int
}

// Progress is what people see.
type Progress struct {
	Counts
	Total int // envelopes not at the target when the job began
	Left  int
	Place string // collection in work
	Rate  float64
	Limit int // envelopes per second; 0: none
	State string
	ETA   ETA
}

// The states of a running job. Waiting carries the gate's reason after it.
const (
	Running = "running"
	Paused  = "paused"
	Waiting = "waiting: "
)

// ErrPoison is returned when envelopes are left that no key opens.
var ErrPoison = errors.New("envelopes left that no key opens")

// page bounds how many documents are read at once; fewer under a low limit, so
// that a pause is felt at once.
const page = 200

type run struct {
	Job
	p      Progress
	meter  meter
	poison map[string]bool
	next   time.Time // when the limit allows the next page
	began  time.Time // of the page in work
}

// Run works until a pass finds nothing to do. It is safe to run again after
// any interruption, and beside another one.
func Run(ctx context.Context, job Job) (Counts, error) {
	r := &run{Job: job, p: Progress{State: Running}, next: time.Now()}
	if err := r.count(ctx); err != nil {
		return r.p.Counts, err
	}
	for {
		r.p.Passes++
		r.poison = map[string]bool{}
		before := r.p.Rewrapped + r.p.Conflicts
		for _, c := range r.Catalogue.Collections() {
			if err := r.collection(ctx, c); err != nil {
				return r.p.Counts, fmt.Errorf("re-wrap %s to version %d: %w", c.Name, r.To, err)
			}
		}
		r.p.Poison = len(r.poison)
		if r.p.Rewrapped+r.p.Conflicts == before {
			break
		}
	}
	if r.p.Poison > 0 {
		return r.p.Counts, fmt.Errorf("re-wrap to version %d: %w: %s", r.To, ErrPoison, r.named())
	}
	return r.p.Counts, nil
}

// named lists the poison, the first few by name.
func (r *run) named() string {
	const first = 5
	names := slices.Sorted(maps.Keys(r.poison))
	if len(names) <= first {
		return strings.Join(names, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(names[:first], "; "), len(names)-first)
}

func (r *run) count(ctx context.Context) error {
	counts, err := r.Store.Census(ctx, r.Catalogue)
	for _, c := range counts {
		if c.Version != r.To {
			r.p.Total += c.N
		}
	}
	r.p.Left = r.p.Total
	return err
}

func (r *run) collection(ctx context.Context, c envelope.Collection) error {
	r.p.Place = c.Name
	var after any
	for {
		limit, err := r.ready(ctx)
		if err != nil {
			return err
		}
		docs, err := r.Store.Page(ctx, c, r.To, after, limit)
		if err != nil || len(docs) == 0 {
			return err
		}
		done, err := r.page(ctx, c, docs)
		if err != nil {
			return err
		}
		after = docs[len(docs)-1].ID
		r.account(done)
	}
}

// ready waits for the limit, for a pause to end and for the gate to open, and
// returns how many documents to read.
func (r *run) ready(ctx context.Context) (limit int, err error) {
	for {
		paused, rate, changed := r.Control.Now()
		r.p.Limit = rate
		why, err := r.Gate(ctx)
		switch {
		case err != nil:
			return 0, err
		case paused:
			r.halt(Paused, Paused)
			err = await(ctx, time.Now().Add(time.Hour), changed)
		case why != "":
			r.halt(Waiting+why, "waiting")
			err = await(ctx, time.Now().Add(time.Second), changed)
		case time.Now().Before(r.next):
			err = await(ctx, r.next, changed)
		default:
			r.p.State = Running
			if r.began.IsZero() {
				r.began = time.Now()
			}
			if rate > 0 {
				return max(1, min(page, rate/4)), nil
			}
			return page, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// halt shows why nothing moves, and stops the clock of the rates.
func (r *run) halt(state, why string) {
	r.p.State, r.p.ETA = state, ETA{Why: why}
	r.began = time.Time{}
	r.Report(r.p)
}

// account takes the time from page to page, so that the limit's waits count.
func (r *run) account(done int) {
	now := time.Now()
	r.meter.add(now.Sub(r.began), done)
	r.began = now
	if r.p.Limit > 0 {
		if r.next.Before(now.Add(-time.Second)) {
			r.next = now // after a pause there is nothing to catch up
		}
		r.next = r.next.Add(time.Duration(float64(done) / float64(r.p.Limit) * float64(time.Second)))
	}
	r.p.Left = max(0, r.p.Left-done)
	r.p.Rate, r.p.ETA = r.meter.rate(), r.meter.eta(r.p.Left, r.p.Total)
	r.Report(r.p)
}

// page re-wraps one page and returns how many envelopes it wrote.
func (r *run) page(ctx context.Context, c envelope.Collection, docs []store.Document) (int, error) {
	var items []provider.Item
	for _, d := range docs {
		for _, h := range d.Envelopes {
			if h.Version != r.To {
				items = append(items, provider.Item{From: kek.NameOf(r.Chain, h.Version), Wrapped: h.WrappedDEK})
			}
		}
	}
	answers, err := r.Provider.Rewrap(ctx, items, kek.NameOf(r.Chain, r.To))
	if err != nil {
		return 0, err
	}
	if len(answers) != len(items) {
		return 0, fmt.Errorf("the provider gave %d answers to %d envelopes", len(answers), len(items))
	}
	var swaps []store.Swap
	for _, d := range docs {
		n := r.stale(d)
		sw, err := r.swap(ctx, c, d, answers[:n])
		if err != nil {
			return 0, err
		}
		if sw != nil {
			swaps = append(swaps, *sw)
		}
		answers = answers[n:]
	}
	took, err := r.Store.Swap(ctx, c, swaps)
	if err != nil {
		return 0, err
	}
	done := 0
	for i, ok := range took {
		if ok {
			done += max(1, len(swaps[i].New))
		} else {
			r.p.Conflicts++
		}
	}
	r.p.Rewrapped += done
	return done, nil
}

func (r *run) stale(d store.Document) int {
	n := 0
	for _, h := range d.Envelopes {
		if h.Version != r.To {
			n++
		}
	}
	return n
}

// swap pairs a document with the provider's answers. The old bytes come from
// the answers (promise 3). A document with poison in it is left alone.
func (r *run) swap(ctx context.Context, c envelope.Collection, d store.Document, answers []provider.Rewrapped) (*store.Swap, error) {
	sw := store.Swap{Old: d, To: r.To}
	for i, h := range d.Envelopes {
		if h.Version == r.To {
			continue
		}
		a := answers[0]
		answers = answers[1:]
		if a.Err != nil {
			r.poison[fmt.Sprintf("%s.%s %s", c.Name, h.Field, printable.Text(fmt.Sprint(d.ID)))] = true
			return nil, r.blame(ctx, h.Version, a.Err)
		}
		if !bytes.Equal(a.Old, h.WrappedDEK) {
			return nil, errors.New("the provider answered for another envelope than it was asked")
		}
		sw.Old.Envelopes[i].WrappedDEK = a.Old
		sw.New = append(sw.New, store.Held{Field: h.Field, Version: r.To, WrappedDEK: a.New})
	}
	return &sw, nil
}

// blame returns nil when the envelope is at fault, and the provider's error
// when a key does not even open its canary.
func (r *run) blame(ctx context.Context, from kek.Version, cause error) error {
	for _, v := range []kek.Version{from, r.To} {
		if err := r.Canary(ctx, v); err != nil && !(v == from && errors.Is(err, provider.ErrNoKey)) {
			return errors.Join(cause, err)
		}
	}
	return nil
}
