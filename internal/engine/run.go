package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
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
		if ctx.Err() != nil {
			return fmt.Errorf("open the ceremony: %w", ErrInterrupted)
		}
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
		To:      cmp.Or(opened.Version(transcript.FactTo), opened.Version(transcript.FactVersion)),
		Started: time.Now(), Log: Recent(e.log.State, e.log.Events)}
	e.room.Remarks(e.taken(ctx))
	if e.log.State.Outcome == "" {
		if err := e.checkCovered(opened); err != nil {
			return err
		}
		if e.aborts {
			if err := e.gatherOnly(); err != nil {
				return err
			}
		}
		if e.resumed && !e.aborts {
			e.view.Continues = stopped(e.steps, e.log.Events[:e.found])
		}
		if err := e.run(ctx); err != nil {
			return err
		}
	}
	if e.voids() {
		return e.giveUp(ctx)
	}
	return e.close(ctx)
}

// run goes through the steps that are left.
func (e *engine) run(ctx context.Context) error {
	back := false // a question that somebody went back to is asked, whatever the log says
	first := true // of the steps that this run does
	for i := 0; i < len(e.steps); i++ {
		s := e.steps[i]
		e.enter(i)
		skip, err := e.settled(ctx, s)
		if err == nil && (back || !skip) {
			if first && e.view.Continues != "" {
				e.show(func(v *View) { v.Why = v.Continues + " " + v.Why })
			}
			first = false
			err = e.perform(ctx, s)
		}
		if back = errors.Is(err, ErrBack); back {
			i = e.back(i) - 1
			continue
		}
		if err == nil && s.Holds && !skip {
			err = e.hold(ctx, s)
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

// hold keeps the page of a step that ended until somebody has read it.
func (e *engine) hold(ctx context.Context, s Step) error {
	if s.Act != nil {
		done := e.log.State.Last().Facts
		e.show(func(v *View) {
			v.Details, v.Waiting, v.Remedy = append(slices.Clip(v.Details), details(done)...), "", ""
		})
	}
	if err := e.room.Hold(ctx); err != nil {
		return e.interrupted(ctx, s)
	}
	return nil
}

// details lists facts by name, first what people know a key by.
func details(f Facts) (all []Detail) {
	names := slices.Sorted(maps.Keys(f))
	slices.SortStableFunc(names, func(a, b string) int {
		known := []string{"key_id", transcript.FactLabel}
		return slices.Index(known, b) - slices.Index(known, a)
	})
	for _, name := range names {
		all = append(all, Detail{name, f[name]})
	}
	return all
}

// back is the step to go to: the previous question of the same run, or the same.
func (e *engine) back(i int) int {
	if n := len(e.asks); n > 0 {
		i, e.asks = e.asks[n-1], e.asks[:n-1]
	}
	return i
}
