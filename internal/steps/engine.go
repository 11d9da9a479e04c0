package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Kinds of ceremonies.
const (
	Install  = "install"
	Rotate   = "rotate"
	Generate = "generate"
	People   = "roster" // who may sign, and how many must
)

// Kinds lists them all.
func Kinds() []string { return []string{Install, Rotate, Generate, People} }

// Questions lists everything that a ceremony of a kind may ask.
func Questions(kind string) []Field {
	return asked(definition(kind)(Facts{transcript.FactGenerate: "yes"}))
}

// definition is what a kind of ceremony is made of.
func definition(kind string) Define {
	return map[string]Define{Install: InstallSteps, Rotate: RotateSteps, Generate: GenerateSteps, People: RosterSteps}[kind]
}

// engine holds one ceremony. It runs in one goroutine.
type engine struct {
	site    *Site
	room    Room
	kind    string
	define  Define
	steps   []Step
	log     *transcript.Writer
	view    View
	resumed bool
	aborts  bool  // the ceremony is being given up
	did     Facts // what it had done by then
	asks    []int // the run of questions answered in this run, by step
}

// run goes through the steps that are left.
func (e *engine) run(ctx context.Context) error {
	if err := e.checkCovered(); err != nil {
		return err
	}
	for i := 0; i < len(e.steps); i++ {
		s := e.steps[i]
		e.enter(i)
		skip, err := e.settled(ctx, s)
		if err == nil && !skip {
			err = e.hold(ctx, s)
		}
		if errors.Is(err, ErrBack) {
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

// checkCovered refuses a ceremony with an act that no earlier approval covers.
func (e *engine) checkCovered() error {
	var covered []string
	for _, s := range e.steps {
		if s.Gather != nil {
			covered = append(covered, s.Gather.Acts...)
		}
		if s.Act != nil && !slices.Contains(covered, s.Name) {
			return fmt.Errorf("ceremony %s: act %s: no approval covers it", e.kind, s.Name)
		}
	}
	return nil
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
	case !log.Ended(s.Name) || !e.resumed:
		return false, nil
	case s.Gather != nil:
		request, ok := log.Requested(s.Name)
		if !ok || !request.Gathered {
			return false, nil
		}
		if s.Gather.Purpose == quorum.Approve && !e.allDone(s.Gather.Acts) {
			now, err := e.derive(ctx, s.Gather) // what moved is asked anew, also when an act was begun
			return now.digest() == request.Event.Facts["sha256"], err
		}
		return true, nil
	case s.Act != nil:
		state, _, err := s.Act.State(ctx, e.site, e.facts())
		if err == nil && state != Done {
			err = fmt.Errorf("step %s: %w", s.Name, ErrUndone)
		}
		return true, err
	}
	return !s.Anew, nil
}

func (e *engine) allDone(acts []string) bool {
	return !slices.ContainsFunc(acts, func(act string) bool { return !e.log.State.Ended(act) })
}

// follow takes over from the log what steps know of a site.
func (e *engine) follow() {
	s := e.log.State
	e.site.Roster, e.site.Next, e.site.Deviations = s.Roster, s.Next, nil
	for _, d := range s.Deviations {
		e.site.Deviations = append(e.site.Deviations, d.Facts)
	}
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
		return e.end(ctx, kindOf(s, transcript.Found), s.Name, facts)
	case s.Gather != nil:
		return e.gather(ctx, s)
	default:
		return e.act(ctx, s)
	}
}

// kindOf is the kind of the event that ends a step: rosters have their own.
func kindOf(s Step, kind transcript.Kind) transcript.Kind {
	switch s.Name {
	case stepRoster:
		return transcript.Roster
	case stepNextRoster:
		return transcript.NextRoster
	}
	return kind
}

// facts are what the log tells so far.
func (e *engine) facts() Facts { return e.log.State.Facts }

// end writes the event that ends a step.
func (e *engine) end(ctx context.Context, kind transcript.Kind, step string, facts Facts) error {
	_, err := e.append(ctx, kind, step, facts)
	return err
}

// append is the only way anything gets into the log.
func (e *engine) append(ctx context.Context, kind transcript.Kind, step string, facts Facts) (transcript.Event, error) {
	// What was done is written down even while the run is being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	ev, err := e.log.Append(ctx, kind, step, facts)
	if err == nil {
		e.follow()
		e.show(func(v *View) { v.Log = lastOf(e.log.Events) })
	}
	return ev, err
}

// lastOf are the last events, for the screen.
func lastOf(all transcript.Events) (lines []string) {
	const last = 40
	for _, ev := range all[max(0, len(all)-last):] {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%4d  %s  %-8s  %s %s", ev.Seq, clock(ev), ev.Kind, ev.Step, ev.Facts["signer"]), " "))
	}
	return lines
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

// act derives the plan again, begins, does, and looks (promises 1 and 5).
func (e *engine) act(ctx context.Context, s Step) error {
	state, facts, err := s.Act.State(ctx, e.site, e.facts())
	if err != nil {
		return err
	}
	begun := e.log.State.Begun(s.Name)
	if state == Done && !begun && s.Act.Fresh {
		return fmt.Errorf("step %s: %w", s.Name, ErrPlanted)
	}
	if state == Done { // found so after an interruption; without its approval the line is refused
		return e.end(ctx, transcript.Done, s.Name, facts)
	}
	if err := e.approved(ctx, s.Name); err != nil {
		return err
	}
	if !begun {
		if _, err := e.append(ctx, transcript.Begun, s.Name, nil); err != nil {
			return err
		}
	}
	did, err := s.Act.Do(ctx, e.site, e.facts(), e.desk(s))
	if err != nil {
		return err
	}
	known := maps.Clone(e.facts())
	maps.Copy(known, did)
	state, facts, err = s.Act.State(ctx, e.site, known)
	if err != nil {
		return err
	}
	if state != Done {
		return fmt.Errorf("step %s: it was done, but looking again does not show it: %w", s.Name, ErrUndone)
	}
	maps.Copy(facts, did)
	return e.end(ctx, transcript.Done, s.Name, facts)
}
