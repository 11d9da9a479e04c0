package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
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
	closed, err := history.Closed(ctx, e.site.Store, all)
	if err != nil {
		return err
	}
	unfinished := all[len(closed):]
	if len(unfinished) > 0 && !e.aborts && unfinished[0].Outcome == transcript.OutcomeVoid {
		return fmt.Errorf("ceremony %d, %s: %w", unfinished[0].Seq, printable.Text(unfinished[0].Kind), ErrGivenUp)
	}
	if len(unfinished) > 0 && unfinished[0].Kind != e.Kind {
		return fmt.Errorf("ceremony %d, %s: %w", unfinished[0].Seq, printable.Text(unfinished[0].Kind), ErrUnfinished)
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
	if len(unfinished) > 0 {
		return e.resume(ctx, unfinished[0], lock)
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
	return l, l.Matches(e.site.Kind.Name(), e.site.Chain)
}
