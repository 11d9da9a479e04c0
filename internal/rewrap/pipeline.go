package rewrap

import (
	"context"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Sizes of pages, in documents. A page should take about pageTime, so that a
// pause is felt at once and a slow token is not asked for seconds at a time.
const (
	minPage  = 32
	maxPage  = 1000
	pageTime = 250 * time.Millisecond
)

// collection goes through one collection in three stages at once: a page is
// read while the one before is re-wrapped and the one before that is written.
// At most five pages are in memory.
func (r *run) collection(ctx context.Context, c envelope.Collection, after any) error {
	r.place(c.Name)
	ctx, stop := context.WithCancelCause(ctx)
	pages, batches := make(chan []store.Document, 1), make(chan batch, 1)
	var stages sync.WaitGroup
	stages.Go(func() {
		defer close(pages)
		if err := r.read(ctx, c, after, pages); err != nil {
			stop(err)
		}
	})
	stages.Go(func() {
		defer close(batches)
		if err := r.rewrap(ctx, c, pages, batches); err != nil {
			stop(err)
		}
	})
	if err := r.write(ctx, c, batches); err != nil {
		stop(err)
	}
	stages.Wait()
	err := context.Cause(ctx) // of the stage that failed first
	stop(nil)
	return err
}

// send gives a value to the next stage, unless the pipeline has stopped.
func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *run) read(ctx context.Context, c envelope.Collection, after any, pages chan<- []store.Document) error {
	for {
		limit, err := r.ready(ctx)
		if err != nil {
			return err
		}
		docs, err := r.Store.Page(ctx, c, r.To, after, limit)
		if err != nil || len(docs) == 0 {
			return err
		}
		if err := send(ctx, pages, docs); err != nil {
			return err
		}
		after = docs[len(docs)-1].ID
	}
}

func (r *run) rewrap(ctx context.Context, c envelope.Collection, pages <-chan []store.Document, batches chan<- batch) error {
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
		took, err := r.Store.Swap(ctx, c, b.swaps)
		if err != nil {
			return err
		}
		r.account(b, took)
		r.Mark.reach(r.Store, c.Name, b.last, len(b.swaps))
	}
	return nil
}

// ready waits for the limit, for a pause to end and for the gate to open, and
// returns how many documents to read.
func (r *run) ready(ctx context.Context) (limit int, err error) {
	for {
		paused, rate, changed := r.Control.Now()
		why, err := r.Gate(ctx)
		switch {
		case err != nil:
			return 0, err
		case paused:
			r.halt(rate, Paused, Paused)
			err = await(ctx, time.Now().Add(time.Hour), changed)
		case why != "":
			r.halt(rate, Waiting+why, "waiting")
			err = await(ctx, time.Now().Add(time.Second), changed)
		default:
			if at, wait := r.due(rate); wait {
				err = await(ctx, at, changed)
				break
			}
			return r.size(rate), nil
		}
		if err != nil {
			return 0, err
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

// size is how many documents make a page of pageTime.
func (r *run) size(limit int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	per := r.meter.rate()
	if limit > 0 {
		per = float64(limit)
	}
	n := int(per * pageTime.Seconds())
	if limit > 0 {
		return max(1, min(n, maxPage))
	}
	return max(minPage, min(n, maxPage))
}
