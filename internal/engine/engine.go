package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// engine runs one ceremony, in one goroutine.
type engine struct {
	Ceremony
	site    *Site
	room    Room
	steps   []Step
	log     *transcript.Writer
	view    View
	resumed bool
	aborts  bool              // the ceremony is being given up
	did     Facts             // what it had done by then
	answers map[string]string // of this run, by question: what was typed and taken
	asks    []int             // the run of questions answered in this run, by step
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

func (e *engine) step(name string) Step {
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Name == name })
	return e.steps[i]
}

// enter shows the page of step i.
func (e *engine) enter(i int) {
	s := e.steps[i]
	e.show(func(v *View) {
		v.Step, v.Title, v.Why, v.N, v.Of = s.Name, s.Title, s.Why, i+1, len(e.steps)+1 // the finals are the last
		v.Details, v.Probe, v.Fleet, v.Progress, v.Waiting = nil, nil, nil, nil, ""
	})
}

func (e *engine) show(change func(*View)) {
	change(&e.view)
	e.view.Attended = e.facts()[transcript.FactAttended]
	e.view.Quorum = e.quorum()
	e.room.Show(e.view)
}

// quorum is how many of how many must approve; empty before the roster is known.
func (e *engine) quorum() string {
	n := len(e.site.Roster.Who(e.site.Mode.Namespace(quorum.Approve)))
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", e.site.Roster.M, n)
}

// needs says that something needs the quorum.
func (e *engine) needs(what string) string {
	return fmt.Sprintf("%s needs %s: the quorum", what, e.quorum())
}

// settled reports whether an earlier run of the tool already did the step.
func (e *engine) settled(ctx context.Context, s Step) (bool, error) {
	log := e.log.State
	switch {
	case !e.resumed:
		return false, nil
	case s.Gather != nil:
		request, ok := log.Requested(s.Name)
		if !ok || !request.Gathered {
			return false, nil
		}
		if s.Gather.Purpose == quorum.Approve && !e.allDone(s.Gather.Acts) {
			now, err := e.derive(ctx, s.Gather) // what moved is asked anew, also when an act was begun
			return now.digest() == request.Event.Facts[transcript.FactSHA256], err
		}
		return true, nil
	case s.Act != nil:
		if !log.Done(s.Name) {
			return false, nil
		}
		state, _, err := s.Act.State(ctx, e.site, e.facts())
		if err == nil && state != Done {
			err = fmt.Errorf("step %s: %w", s.Name, ErrUndone)
		}
		return true, err
	}
	return !s.Anew && log.Ended(s.Name, s.ends()), nil
}

func (e *engine) allDone(acts []string) bool {
	return !slices.ContainsFunc(acts, func(act string) bool { return !e.log.State.Done(act) })
}

func (e *engine) once(ctx context.Context, s Step) error {
	switch {
	case s.Ask != nil:
		return e.ask(ctx, s)
	case s.Look != nil:
		facts, err := s.Look(ctx, e.site, e.facts(), e.desk(s))
		if err != nil {
			return err
		}
		return e.end(ctx, s.ends(), s.Name, facts)
	case s.Gather != nil:
		return e.gather(ctx, s)
	default:
		return e.act(ctx, s)
	}
}

func (e *engine) desk(s Step) Desk {
	return Desk{
		Show: e.show,
		Note: func(ctx context.Context, facts Facts) error {
			_, err := e.append(ctx, transcript.Noted, s.Name, facts)
			return err
		},
		Lend: e.room.Lend,
		Approve: func(ctx context.Context, step string, effects ...Effect) error {
			return e.gather(ctx, Step{Name: step, Gather: &Gather{Purpose: quorum.Approve, Effects: effects}})
		},
	}
}
