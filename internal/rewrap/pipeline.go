package rewrap

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Sizes of pages, in documents. A page should take about pageTime, so that a
// pause is felt at once and a slow token is not asked for seconds at a time. With payloads, which may be
// large, memory bounds it.
const (
	minPage     = 32 // the first one
	maxPage     = 1024
	maxPayloads = 512
	pageTime    = 250 * time.Millisecond
)

// page is what was read at once, of one collection.
type page struct {
	of   envelope.Collection
	docs []store.Document
}

// pipeline goes through all collections in four stages at once: a page is read while the wraps of the one
// before are counted, the one before that is re-wrapped, and one more is written. A store that writes one thing
// at a time has the second stage wait for the last, and not the provider for both: a page stands ready for it, and
// another for the last stage. At most six pages are in memory. What a stage has done when the one before it fails is
// written and counted. It reports whether a checkpoint let it skip records.
func (r *run) pipeline(ctx context.Context, from map[string]reached) (skipped bool, err error) {
	upstream, stop := context.WithCancel(ctx)
	defer stop()
	reader, end := context.WithCancel(upstream)
	defer end()
	pages, reserved, batches := make(chan page), make(chan page, 1), make(chan batch, 1)
	var stages sync.WaitGroup
	var reading, reserving, rewrapping error
	stages.Go(func() {
		defer close(pages)
		skipped, reading = r.readAll(reader, from, pages)
	})
	stages.Go(func() {
		defer close(reserved)
		if reserving = r.reserve(upstream, pages, reserved); reserving != nil {
			end()
		}
	})
	stages.Go(func() {
		defer close(batches)
		if rewrapping = r.rewrap(upstream, reserved, batches); rewrapping != nil {
			stop()
		}
	})
	writing := r.write(ctx, batches)
	if writing != nil {
		stop()
	}
	stages.Wait()
	// A stage that was stopped returns only that.
	return skipped, cmp.Or(writing, rewrapping, reserving, reading)
}

// send gives a value to the next stage, unless the pipeline has stopped.
func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed says what a stage was at.
func (r *run) failed(c envelope.Collection, err error) error {
	if err != nil {
		err = fmt.Errorf("re-wrap %s to version %d: %w", c.Name, r.To, err)
	}
	return err
}

// readAll reads each collection, from where a checkpoint says.
func (r *run) readAll(ctx context.Context, from map[string]reached, pages chan<- page) (skipped bool, err error) {
	for _, c := range r.Catalogue.Collections() {
		c.Payloads = r.First || r.Expose != nil
		var after any
		if m, ok := from[c.Name]; ok {
			if after, err = r.Store.DecodeID(m.ID); err == nil {
				r.skip(m.Records)
				skipped = true
			}
		}
		if err := r.read(ctx, c, after, pages); err != nil {
			return skipped, r.failed(c, err)
		}
	}
	return skipped, nil
}

func (r *run) read(ctx context.Context, c envelope.Collection, after any, pages chan<- page) error {
	for {
		docs, err := r.Store.Page(ctx, c, r.To, after, r.size())
		if err != nil || len(docs) == 0 {
			return err
		}
		if err := send(ctx, pages, page{c, docs}); err != nil {
			return err
		}
		after = docs[len(docs)-1].ID
	}
}

// reserve counts the wraps of each page before the provider is given it.
func (r *run) reserve(ctx context.Context, pages <-chan page, reserved chan<- page) error {
	for p := range pages {
		if n := r.due(p.docs); n > 0 {
			if err := r.Reserve(ctx, n); err != nil {
				return r.failed(p.of, err)
			}
		}
		if err := send(ctx, reserved, p); err != nil {
			return err
		}
	}
	return nil
}

// due is how many envelopes of a page are not at the target.
func (r *run) due(docs []store.Document) (n int) {
	for _, d := range docs {
		for _, h := range d.Envelopes {
			if h.Version != r.To {
				n++
			}
		}
	}
	return n
}

func (r *run) rewrap(ctx context.Context, pages <-chan page, batches chan<- batch) error {
	// Always on one thread: a module in C finds its memory where it left it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for p := range pages {
		b, err := r.batch(ctx, p.of, p.docs)
		if err != nil {
			return r.failed(p.of, err)
		}
		if err := send(ctx, batches, b); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) write(ctx context.Context, batches <-chan batch) error {
	for b := range batches {
		r.enter(b.of.Name)
		if err := r.writeOne(ctx, b); err != nil {
			return r.failed(b.of, err)
		}
	}
	return nil
}

func (r *run) writeOne(ctx context.Context, b batch) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	if err := r.expose(b.of, b.swaps); err != nil {
		return err
	}
	took, err := r.Store.Swap(ctx, b.of, b.swaps)
	r.account(b, took)
	if err != nil {
		return err
	}
	if r.p.Passes == 1 {
		r.Checkpoint.reach(r.Store, b.of.Name, b.last, len(b.swaps))
	}
	return nil
}

func (r *run) expose(c envelope.Collection, swaps []store.Swap) error {
	if r.Expose == nil {
		return nil
	}
	docs := make([]store.Document, len(swaps))
	for i, s := range swaps {
		docs[i] = s.Old
	}
	return r.Expose(c, docs)
}

// ready waits for the limit, for a pause to end and for the gate to open.
func (r *run) ready(ctx context.Context) error {
	for {
		paused, rate, changed := r.Control.Now()
		why, err := r.Gate(ctx)
		switch {
		case err != nil:
			return err
		case paused:
			r.halt(rate, Paused, Paused)
			err = await(ctx, time.Now().Add(time.Hour), changed)
		case why != "":
			r.halt(rate, Waiting+why, "waiting")
			err = await(ctx, time.Now().Add(time.Second), changed)
		default:
			at, wait := r.allowed(rate)
			if !wait {
				return nil
			}
			err = await(ctx, at, changed)
		}
		if err != nil {
			return err
		}
	}
}

// allowed is when the limit allows the next page, and marks the start of one that
// it allows now.
func (r *run) allowed(rate int) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Limit, r.p.State = rate, Running
	if now := time.Now(); now.Before(r.next) {
		return r.next, true
	}
	if r.began.IsZero() {
		r.began = time.Now()
	}
	return time.Time{}, false
}

// size is how many documents make a page of pageTime. It at most doubles from
// page to page, as the first rates are those of a few envelopes.
func (r *run) size() int {
	_, limit, _ := r.Control.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	most := maxPage
	if r.First || r.Expose != nil {
		most = maxPayloads
	}
	if limit > 0 {
		return max(1, min(pageOf(float64(limit)), most))
	}
	r.page = max(minPage, min(pageOf(r.meter.recent()), 2*r.page, most))
	return r.page
}

func pageOf(rate float64) int { return int(rate * pageTime.Seconds()) }
