package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// open finds the unfinished ceremony or begins the next one.
func (e *engine) open(ctx context.Context) error {
	all, err := e.site.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	lock, err := e.lock(ctx)
	if err != nil {
		return err
	}
	unfinished, err := e.unfinished(ctx, all)
	if err != nil {
		return err
	}
	closed := all
	if unfinished != nil {
		closed = all[:len(all)-1]
	}
	for _, c := range all {
		if c.Mode != string(e.site.Mode) {
			return fmt.Errorf("ceremony %d was a %s, this is a %s: %w", c.Seq, printable.Text(c.Mode), e.site.Mode, ErrMode)
		}
	}
	if e.site.History, err = history.Read(ctx, e.site.Store, closed); err != nil {
		return err
	}
	if err := e.site.History.Pinned(lock, e.site.Founding); err != nil {
		return err
	}
	if err := history.RolledBack(e.site.Bundles, all); err != nil {
		return err
	}
	if unfinished != nil {
		return e.resume(ctx, *unfinished, lock)
	}
	return e.begin(ctx, len(all)+1, lock)
}

// lock reads the lock and refuses a configuration that disagrees with it,
// before any token is touched.
func (e *engine) lock(ctx context.Context) (store.Lock, error) {
	l, err := e.site.Store.Lock(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	return l, history.CheckLock(l, e.site.Kind.Name(), e.site.Chain)
}

// unfinished is the last ceremony if it is open or lacks finals.
func (e *engine) unfinished(ctx context.Context, all []store.Ceremony) (*store.Ceremony, error) {
	if len(all) == 0 {
		return nil, nil
	}
	last := all[len(all)-1]
	if last.Outcome != "" {
		enough, err := history.Finished(ctx, e.site.Store, last)
		if err != nil || enough {
			return nil, err
		}
	}
	if last.Kind != e.Kind {
		return nil, fmt.Errorf("ceremony %d, %s: %w", last.Seq, printable.Text(last.Kind), ErrUnfinished)
	}
	return &last, nil
}
