package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ErrNoAbort is returned for a ceremony that cannot be given up where it stands.
var ErrNoAbort = errors.New("it cannot be given up")

// Abort gives up the ceremony that is not finished: M people attend, it is closed
// with outcome aborted, and M sign that end. What it did stays done, and the next
// ceremony goes on from there. It returns ErrNothingDue when none is open, and
// ErrNoAbort for an install, and for one whose key is half made.
func Abort(ctx context.Context, site *Site, room Room) error {
	all, err := site.Store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	none := func(context.Context, *Site, store.Lock) (Facts, error) {
		return nil, fmt.Errorf("no ceremony is open: %w", ErrNothingDue)
	}
	if len(all) == 0 {
		_, err := none(ctx, site, store.Lock{})
		return err
	}
	kind := all[len(all)-1].Kind
	if !slices.Contains([]string{Rotate, Generate, People}, kind) {
		return fmt.Errorf("ceremony %d, %s: another store is founded instead: %w", len(all), printable.Text(kind), ErrNoAbort)
	}
	e := &engine{site: site, room: room, kind: kind, define: definition(kind), aborts: true}
	return e.whole(ctx, none)
}

// givesUp leaves of the steps only those that gather the people. A key that was
// begun must be whole, with its canary: nobody else would ever take it for ours.
func (e *engine) givesUp() error {
	var fresh, made []string
	for _, s := range e.steps {
		if s.Act != nil && s.Act.Fresh {
			fresh = append(fresh, s.Name)
			if e.log.State.Ended(s.Name) {
				made = append(made, s.Name)
			}
		}
	}
	if slices.ContainsFunc(fresh, e.log.State.Begun) && len(made) < len(fresh) {
		return fmt.Errorf("ceremony %d, %s: version %s is half made: %w", e.site.Seq, e.kind, e.facts()[transcript.FactTo], ErrNoAbort)
	}
	e.did = e.acts()
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Name == stepAttend })
	e.steps = e.steps[:i+1]
	return nil
}

// acts tells which acts were done, and which were begun and are not done.
func (e *engine) acts() Facts {
	var done, begun []string
	for _, s := range e.steps {
		switch {
		case s.Act == nil:
		case e.log.State.Ended(s.Name):
			done = append(done, s.Name)
		case e.log.State.Begun(s.Name):
			begun = append(begun, s.Name)
		}
	}
	said := func(names []string) string {
		if len(names) == 0 {
			return "none"
		}
		return strings.Join(names, ", ")
	}
	return Facts{"done": said(done), "begun": said(begun)}
}

// closing are the facts of the last line.
func (e *engine) closing() Facts {
	if !e.aborts {
		return Facts{transcript.FactOutcome: transcript.OutcomeDone}
	}
	facts := Facts{transcript.FactOutcome: transcript.OutcomeAborted}
	for name, value := range e.did {
		facts[name] = value
	}
	return facts
}
