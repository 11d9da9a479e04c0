package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Abort ends the ceremony that is not finished: M people attend, it is closed
// with outcome aborted, and M sign that end. What it did stays done, and the next
// ceremony continues from there. One that has a Void is given up instead. It returns
// ErrNothingDue when none is open, and ErrNoAbort for one of a kind that nobody knows, one
// whose key is only partly generated, and one that has made something and has a Void.
func Abort(ctx context.Context, parts Parts, room Room, kinds []Ceremony) error {
	all, err := parts.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	none := fmt.Errorf("no ceremony is open: %w", ErrNothingDue)
	if len(all) == 0 {
		return none
	}
	last := all[len(all)-1]
	i := slices.IndexFunc(kinds, func(c Ceremony) bool { return c.Kind == last.Kind })
	if i < 0 {
		return fmt.Errorf("ceremony %d, %s: %w", len(all), printable.Text(last.Kind), ErrNoAbort)
	}
	c := kinds[i]
	c.Open = func(_ context.Context, s *Site, _ store.Lock) (Facts, error) {
		if c.Void != nil && s.Seq > 0 { // it ended before its first line, which is written for the archive
			return Facts{}, nil
		}
		return nil, none
	}
	e := newEngine(parts, room, c)
	e.aborts = true
	if e.voids() {
		if done, err := e.archived(ctx, last); done || err != nil {
			return err
		}
	}
	return e.whole(ctx)
}

// gatherOnly leaves of the steps only those that gather the people, or has those that give up.
func (e *engine) gatherOnly() error {
	if e.voids() {
		e.did, e.steps = e.acts(), e.Void.Steps(e.log.State)
		return nil
	}
	var keep []Step
	if half := e.halfMade(); half != "" && e.Keep == nil {
		return e.onlyPart(half)
	} else if half != "" { // a note that it was kept, which nobody signs, does not stand for a look at it
		keep = e.Keep()
	}
	e.did = e.acts()
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Gather != nil && s.Gather.Purpose == quorum.Attend })
	e.steps = append(e.steps[:i+1:i+1], keep...)
	return nil
}

// halfMade names the acts on a key of which only part is done; empty: none.
func (e *engine) halfMade() string {
	var fresh, made []string
	for _, s := range e.steps {
		if s.Act != nil && s.Act.Fresh {
			fresh = append(fresh, s.Name)
			if e.log.State.Done(s.Name) {
				made = append(made, s.Name)
			}
		}
	}
	if slices.ContainsFunc(fresh, e.log.State.Begun) && len(made) < len(fresh) {
		return strings.Join(fresh, ", ")
	}
	return ""
}

func (e *engine) onlyPart(half string) error {
	return fmt.Errorf("ceremony %d, %s: only part is done of %s: %w", e.site.Seq, e.Kind, half, ErrNoAbort)
}

// wholeKey demands of a key that was begun that it is whole, with its canary: nobody else
// would ever take it for ours. Nor does anything end a destruction that was begun, unless the key was kept, which is
// looked at again.
func (e *engine) wholeKey(ctx context.Context) error {
	half := e.halfMade()
	switch {
	case half == "":
		return nil
	case !e.log.State.Kept() || e.Intact == nil:
		return e.onlyPart(half)
	}
	if reached, err := e.reachAgain(ctx); err != nil || !reached {
		return err
	}
	err := e.Intact(ctx, e.site, e.facts())
	if err != nil && !e.log.Doubtful {
		e.warn("the log says that the key was kept, and it is not whole: " + printable.Text(err.Error()))
		return nil
	}
	return err
}

// acts lists which acts were done, and which were begun and are not done.
func (e *engine) acts() Facts {
	var done, begun []string
	for _, s := range e.steps {
		switch {
		case s.Act == nil:
		case e.log.State.Done(s.Name):
			done = append(done, s.Name)
		case e.log.State.Begun(s.Name):
			begun = append(begun, s.Name)
		}
	}
	list := func(names []string) string {
		if len(names) == 0 {
			return "none"
		}
		return strings.Join(names, ", ")
	}
	return Facts{transcript.FactDone: list(done), transcript.FactHalfDone: list(begun)}
}
