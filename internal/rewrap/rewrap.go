// Package rewrap moves every envelope of a catalogue to one version of the KEK:
// read a page, re-wrap, check, compare-and-swap, and again until a whole pass
// finds nothing. It never holds a DEK: the provider does.
package rewrap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
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
	// Name is that of a version's key, and says whether it is bound; nil: none is.
	Name func(kek.Version) kek.Name
	// First says that envelopes may be at versions that are not bound, and that the target is: their
	// payloads are opened before.
	First bool
	// Excluded names envelopes, as ErrUndecryptable does, to exclude when no key
	// opens them. They are tried like all others.
	Excluded []string
	// Reserve counts wraps under the target before a page is given to the provider, so that one
	// that is never answered is counted too.
	Reserve func(ctx context.Context, n int) error
	// Gate is asked before each page is written. While it gives a reason, the job
	// waits.
	Gate func(context.Context) (why string, err error)
	// Expose is asked before each page is written, and gets its records as they were, with payloads; nil: nobody
	// wants to know them.
	Expose func(envelope.Collection, []store.Document) error
	// Canary proves that a version's key works: an envelope that fails while
	// its key works is undecryptable, otherwise the provider is at fault.
	Canary     func(context.Context, kek.Version) error
	Before     int // what earlier runs re-wrapped, for Progress
	Control    *Control
	Report     func(Progress)
	Checkpoint *Checkpoint // nil: none is kept
}

// Counts are envelopes, over all passes. Scanned is the sum of the five below
// it: each envelope that was read ended in one of them.
type Counts struct {
	Scanned       int
	Rewrapped     int // written
	Current       int // at the target already, in a record with others that were not
	Conflicts     int // the swap lost against the application; the next pass takes them
	Undecryptable int // no key opens them
	Excluded      int // no key opens them, and people approved that

	Skipped int // records that the checkpoint of an earlier run saved reading
	Passes  int
}

// Progress is what people see.
type Progress struct {
	Counts
	Before     int // re-wrapped by earlier runs of the same job, as far as they said
	Total      int // envelopes not at the target when the job began
	Left       int
	Collection string // in work
	Rate       float64
	Limit      int    // envelopes per second; 0: none
	Workers    string // how many sessions work, and why
	State      string
	PausedBy   string // who asked for the pause
	ETA        ETA
}

// The states of a running job. Waiting carries the gate's reason after it.
const (
	Running = "running"
	Paused  = "paused"
	Waiting = "waiting: "
)

// Errors of a job that went through and is not done.
var (
	// ErrUndecryptable is returned when envelopes are left that no key opens.
	ErrUndecryptable = errors.New("envelopes left that no key opens")
	// ErrUnopened is returned when a look at every envelope found some that no key opens.
	ErrUnopened = errors.New("envelopes that no key opens")
	// ErrUnnamed is returned when a look at every envelope found some that cannot be bound.
	ErrUnnamed = errors.New("envelopes that cannot be bound: an id, or the key of an array's element, is not " +
		"a text, a whole number of 64 bits, or bytes, or is missing, or another element has it too")
	// ErrRestless is returned when records change under every attempt.
	ErrRestless = errors.New("records that change faster than they are re-wrapped")
)

// maxPasses bounds the passes: when each of so many finds something, somebody
// writes what is being re-wrapped. Between two later ones is a pause that grows.
const (
	maxPasses = 50
	passPause = 20 * time.Millisecond
)

type run struct {
	Job
	excluded map[string]bool
	names    map[kek.Version]kek.Name
	next     time.Time // when the limit allows the next page

	mu            sync.Mutex // of what follows: reader and writer report
	p             Progress
	meter         meter
	page          int             // size of the last one, in documents
	undecryptable map[string]bool // by name, of the pass in work
	passed        map[string]bool // excluded ones that no key opens
	began         time.Time       // of the page in work; zero: nothing moves
}

// Run works until a pass finds nothing to do. It is safe to run again after
// any interruption, and beside another one.
func Run(ctx context.Context, job Job) (Counts, error) {
	r := &run{
		Job:           job,
		p:             Progress{State: Running, Before: job.Before},
		next:          time.Now(),
		excluded:      setOf(job.Excluded),
		names:         map[kek.Version]kek.Name{},
		undecryptable: map[string]bool{},
		passed:        map[string]bool{},
		began:         time.Now(),
	}
	if err := r.count(ctx); err != nil {
		return r.p.Counts, err
	}
	defer r.Checkpoint.write()
	for {
		done, lost, skipped, err := r.pass(ctx)
		if err != nil {
			return r.p.Counts, err
		}
		if done == 0 && lost == 0 && !skipped {
			break
		}
		if r.p.Passes == maxPasses {
			return r.p.Counts, fmt.Errorf("re-wrap to version %d: %d %w", r.To, done+lost, ErrRestless)
		}
		pause := time.Duration(r.p.Passes-1) * passPause // none after the first
		if err := await(ctx, time.Now().Add(pause), nil); err != nil {
			return r.p.Counts, err
		}
	}
	r.Checkpoint.remove()
	if len(r.undecryptable) > 0 {
		return r.p.Counts, fmt.Errorf("re-wrap to version %d: %w: %s", r.To, ErrUndecryptable, r.named())
	}
	return r.p.Counts, nil
}

// pass goes through every collection once. It says how many envelopes it wrote,
// how many swaps it lost, and whether a checkpoint let it skip records.
func (r *run) pass(ctx context.Context) (done, lost int, skipped bool, err error) {
	r.forget()
	before := r.p.Counts
	if skipped, err = r.pipeline(ctx, r.Checkpoint.take()); err != nil {
		return 0, 0, false, err
	}
	return r.p.Rewrapped - before.Rewrapped, r.p.Conflicts - before.Conflicts, skipped, nil
}

// named lists the undecryptable envelopes, the first few by name.
func (r *run) named() string {
	return firstOf(slices.Sorted(maps.Keys(r.undecryptable)))
}

// firstOf names the first few, and how many more there are.
func firstOf(names []string) string {
	const first = 5
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
