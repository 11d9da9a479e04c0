package rewrap_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
)

// nth is closed when something happens for the nth time.
type nth struct {
	at     int32
	n      atomic.Int32
	closed chan struct{}
}

func newNth(at int32) *nth { return &nth{at: at, closed: make(chan struct{})} }

func (c *nth) happens() {
	if c.n.Add(1) == c.at {
		close(c.closed)
	}
}

// TestStagesOverlap: while the first page is written, the provider re-wraps the second, and the third is read.
func TestStagesOverlap(t *testing.T) {
	t.Parallel()
	const n = 60
	a, db := onSQLite(t, n)
	third, second := newNth(3), newNth(2)
	s := &overlapped{Envelopes: db, read: third, await: []*nth{third, second}}
	c, err := rewrap.Run(t.Context(), job(s, worked{a.Provider, second}))
	if err != nil || c.Rewrapped != n {
		t.Errorf("%+v, %v", c, err)
	}
}

// overlapped is a store whose first swap waits for what should happen beside it.
type overlapped struct {
	store.Envelopes
	read  *nth
	await []*nth
}

func (o *overlapped) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, after any, limit int,
) ([]store.Document, error) {
	docs, err := o.Envelopes.Page(ctx, c, to, after, limit)
	if len(docs) > 0 {
		o.read.happens()
	}
	return docs, err
}

func (o *overlapped) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	for _, other := range o.await {
		select {
		case <-other.closed:
		case <-time.After(time.Minute):
			return nil, errors.New("nothing happens beside a swap")
		}
	}
	o.await = nil
	return o.Envelopes.Swap(ctx, c, swaps)
}

// worked is a provider that counts its batches.
type worked struct {
	provider.Provider
	batches *nth
}

func (w worked) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	w.batches.happens()
	return w.Provider.Rewrap(ctx, items, to)
}
