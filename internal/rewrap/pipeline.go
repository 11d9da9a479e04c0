package rewrap

import (
	"cmp"
	"context"
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
	maxPage     = 4096
	maxPayloads = 512
	pageTime    = 250 * time.Millisecond
)

// collection goes through one collection in three stages at once: a page is
// read while the one before is re-wrapped and the one before that is written.
// At most five pages are in memory. What a stage has done when the one before
// it fails is written and counted.
func (r *run) collection(ctx context.Context, c envelope.Collection, after any) error {
	r.enter(c.Name)
	c.Payloads = r.First || r.Expose != nil
	upstream, stop := context.WithCancel(ctx)
	defer stop()
	pages, batches := make(chan []store.Document, 1), make(chan batch, 1)
	var stages sync.WaitGroup
	var reading, rewrapping error
	stages.Go(func() {
		defer close(pages)
		reading = r.read(upstream, c, after, pages)
	})
	stages.Go(func() {
		defer close(batches)
		if rewrapping = r.rewrap(upstream, c, pages, batches); rewrapping != nil {
			stop()
		}
	})
	writing := r.write(ctx, c, batches)
	if writing != nil {
		stop()
	}
	stages.Wait()
	// A stage that was stopped returns only that.
	return cmp.Or(writing, rewrapping, reading)
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

func (r *run) read(ctx context.Context, c envelope.Collection, after any, pages chan<- []store.Document) error {
	for {
		docs, err := r.Store.Page(ctx, c, r.To, after, r.size())
		if err != nil || len(docs) == 0 {
			return err
		}
		if err := send(ctx, pages, docs); err != nil {
			return err
		}
		after = docs[len(docs)-1].ID
	}
}

func (r *run) rewrap(
	ctx context.Context, c envelope.Collection, pages <-chan []store.Document, batches chan<- batch,
) error {
	// Always on one thread: a module in C finds its memory where it left it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for docs := range pages {
		b, err := r.batch(ctx, c, docs)
		if err != nil {
			return err
		}
		if err := send(ctx, batches, b); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) write(ctx context.Context, c envelope.Collection, batches <-chan batch) error {
	for b := range batches {
		if err := r.ready(ctx); err != nil {
			return err
		}
		if err := r.expose(c, b.swaps); err != nil {
			return err
		}
		took, err := r.Store.Swap(ctx, c, b.swaps)
		r.account(b, took)
		if err != nil {
			return err
		}
		if r.p.Passes == 1 {
			r.Checkpoint.reach(r.Store, c.Name, b.last, len(b.swaps))
		}
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
			at, wait := r.due(rate)
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

// due is when the limit allows the next page, and marks the start of one that
// it allows now.
func (r *run) due(rate int) (time.Time, bool) {
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
