package rewrap_test

import (
	"context"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
)

// counted is a provider that demands that every wrap is counted before it is asked for it. It ends
// at a page, as a process that is killed does.
type counted struct {
	provider.Provider
	wraps func() kek.Wraps // that the store counts
	asked kek.Wraps
	pages int // that are left; below 0: any number
}

var errKilled = errors.New("killed")

func (c *counted) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	c.asked += kek.Wraps(len(items))
	if n := c.wraps(); n < c.asked {
		return nil, errors.New("it is asked for wraps that are not counted")
	}
	if c.pages--; c.pages == 0 {
		return nil, errKilled
	}
	return c.Provider.Rewrap(ctx, items, to)
}

// TestReserved: each page is counted in the store before the provider is given it, so that one that is never
// answered is counted too; and beside the pages that were read when a run ended, nothing else is.
func TestReserved(t *testing.T) {
	t.Parallel()
	const n = 60
	both(t, n, func(t *testing.T, db database, a rehearsal.Application) {
		wraps := func() kek.Wraps {
			all, err := db.Wraps(t.Context())
			if err != nil {
				t.Error(err)
			}
			return all[2]
		}
		p := &counted{Provider: a.Provider, wraps: wraps, pages: 2}
		j := job(db, p)
		j.Reserve = func(ctx context.Context, n int) error {
			_, err := db.ReserveWraps(ctx, 2, n)
			return err
		}
		_, err := rewrap.Run(t.Context(), j)
		ahead := wraps() - p.asked // counted, and never asked for
		if !errors.Is(err, errKilled) || p.asked == 0 || wraps() > n {
			t.Fatalf("killed: %v; %d are counted, of %d", err, wraps(), p.asked)
		}
		p.pages = -1
		if _, err := rewrap.Run(t.Context(), j); err != nil || wraps() != p.asked+ahead || p.asked <= n {
			t.Errorf("again: %v; %d are counted, of %d and %d", err, wraps(), p.asked, ahead)
		}
		allAt(t, a, n, 2)
	})
}

// TestNotReserved: what cannot be counted is not wrapped.
func TestNotReserved(t *testing.T) {
	t.Parallel()
	a, db := onSQLite(t, 40)
	p := &counted{Provider: a.Provider, wraps: func() kek.Wraps { return kek.MaxWraps }, pages: -1}
	j := job(db, p)
	none := errors.New("no more")
	j.Reserve = func(context.Context, int) error { return none }
	if _, err := rewrap.Run(t.Context(), j); !errors.Is(err, none) || p.asked != 0 {
		t.Errorf("%v; %d were asked for", err, p.asked)
	}
	allAt(t, a, 40, 1)
}
