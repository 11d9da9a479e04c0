package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Run runs a ceremony: the unfinished one of its kind if there is one, else a new one. It
// returns a *BundleError for whatever goes wrong once there is a bundle.
func Run(ctx context.Context, parts Parts, room Room, c Ceremony) error {
	return newEngine(parts, room, c).whole(ctx)
}

func (e *engine) whole(ctx context.Context) error {
	defer func() {
		if e.log != nil {
			_ = e.log.Close()
		}
		if e.site.Provider != nil {
			_ = e.site.Provider.Close()
		}
	}()
	if err := e.open(ctx); err != nil {
		return err
	}
	if err := e.toTheEnd(ctx); err != nil {
		return &BundleError{e.log.Dir, err}
	}
	return nil
}

// toTheEnd runs what is left of a ceremony that is open. After its last line only finals
// are missing.
func (e *engine) toTheEnd(ctx context.Context) error {
	opened := e.log.State.Opened()
	e.site.Bundle, e.steps = e.log.Dir, e.Steps(opened)
	e.view = View{Kind: e.Kind, Rehearsal: e.site.Mode == quorum.Rehearsal, From: opened.Version(transcript.FactFrom),
		To:      opened.Version(transcript.FactTo),
		Started: time.Now(), Log: lastOf(e.log.Events)}
	if e.log.State.Outcome == "" {
		if err := e.checkCovered(opened); err != nil {
			return err
		}
		if e.aborts {
			if err := e.gatherOnly(); err != nil {
				return err
			}
		}
		if err := e.run(ctx); err != nil {
			return err
		}
	}
	return e.close(ctx)
}

// run goes through the steps that are left.
func (e *engine) run(ctx context.Context) error {
	back := false // a question that somebody went back to is asked, whatever the log says
	for i := 0; i < len(e.steps); i++ {
		s := e.steps[i]
		e.enter(i)
		skip, err := e.settled(ctx, s)
		if err == nil && (back || !skip) {
			err = e.perform(ctx, s)
		}
		if back = errors.Is(err, ErrBack); back {
			i = e.back(i) - 1
			continue
		}
		if err != nil {
			return err
		}
		if s.Ask != nil {
			e.asks = append(e.asks, i)
		} else {
			e.asks = nil
		}
	}
	return nil
}

// back is the step to go to: the previous question of the same run, or the same.
func (e *engine) back(i int) int {
	if n := len(e.asks); n > 0 {
		i, e.asks = e.asks[n-1], e.asks[:n-1]
	}
	return i
}

// Abort ends the ceremony that is not finished: M people attend, it is closed
// with outcome aborted, and M sign that end. What it did stays done, and the next
// ceremony continues from there. It returns ErrNothingDue when none is open, and
// ErrNoAbort for one of a kind that cannot be aborted, or whose key is only partly generated.
func Abort(ctx context.Context, parts Parts, room Room, kinds []Ceremony) error {
	all, err := parts.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	none := fmt.Errorf("no ceremony is open: %w", ErrNothingDue)
	if len(all) == 0 {
		return none
	}
	kind := all[len(all)-1].Kind
	i := slices.IndexFunc(kinds, func(c Ceremony) bool { return c.Kind == kind && !c.Final })
	if i < 0 {
		return fmt.Errorf("ceremony %d, %s: %w", len(all), printable.Text(kind), ErrNoAbort)
	}
	c := kinds[i]
	c.Open = func(context.Context, *Site, store.Lock) (Facts, error) { return nil, none }
	e := newEngine(parts, room, c)
	e.aborts = true
	return e.whole(ctx)
}
