package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// perform does a step, and does it again as long as the room wants to after a failure.
func (e *engine) perform(ctx context.Context, s Step) error {
	lost := false
	for again := false; ; again = true {
		other, err := e.reread(again)
		if err == nil && (other || lost) {
			if err := e.reopen(ctx, s); err != nil {
				return err
			}
		}
		if err == nil {
			err = e.once(ctx, s)
		}
		if err == nil || errors.Is(err, ErrBack) {
			return err
		}
		if ctx.Err() != nil {
			return e.interrupted(ctx, s)
		}
		var waiting *WaitingError
		var answers *MissingAnswers
		if errors.As(err, &waiting) || errors.As(err, &answers) || errors.Is(err, ErrAnswer) ||
			errors.Is(err, transcript.ErrFenced) {
			return err
		}
		if _, logErr := e.append(ctx, transcript.Failed, s.Name,
			Facts{transcript.FactError: printable.Text(err.Error())}); logErr != nil {
			return errors.Join(err, logErr)
		}
		// Another token may be in by the time it is tried again.
		lost = e.site.Provider != nil && (provider.Lost(err) || errors.Is(err, ErrReach))
		failure := Failure{Step: s.Name, Err: err, Lost: lost, PIN: errors.Is(err, provider.ErrPINRefused)}
		_ = errors.As(err, &failure.Deviation)
		choice, chooseErr := e.choose(ctx, failure)
		if ctx.Err() != nil {
			return e.interrupted(ctx, s)
		}
		if d := failure.Deviation; d != nil && choice.Decided != "" {
			if err := e.deviate(ctx, s.Name, Facts{transcript.FactWhat: d.What,
				transcript.FactExpected: printable.Text(d.Expected), transcript.FactSeen: printable.Text(d.Seen),
				transcript.FactDecided: printable.Text(choice.Decided), transcript.FactBy: e.standBehind(s)}); err != nil {
				return err
			}
			lost = false
			continue
		}
		if chooseErr != nil || !choice.Retry {
			return errors.Join(err, chooseErr)
		}
	}
}

// reread takes over what somebody corrected in the configuration since a step failed, and reports
// whether the provider is configured otherwise.
func (e *engine) reread(again bool) (other bool, err error) {
	if !again || e.site.Reread == nil {
		return false, nil
	}
	parts, other, err := e.site.Reread(e.site.Parts)
	if err == nil {
		e.site.Parts = parts
	}
	return other, err
}

// reopen closes the provider, and makes the keys reachable again for a step.
func (e *engine) reopen(ctx context.Context, s Step) error {
	if e.site.Provider == nil {
		return nil
	}
	_ = e.site.Provider.Close()
	e.site.Provider = nil
	return e.reach(ctx, s)
}

// standBehind says who stands behind a deviation: the plan of a later approval names it, and
// the end counts it.
func (e *engine) standBehind(s Step) string {
	at := slices.IndexFunc(e.steps, func(other Step) bool { return other.Name == s.Name })
	if slices.ContainsFunc(e.steps[at+1:], func(later Step) bool {
		return later.Gather != nil && later.Gather.Purpose == quorum.Approve
	}) {
		return "those who sign the plan"
	}
	return "those who sign the end"
}

// choose asks until a reason to continue says something.
func (e *engine) choose(ctx context.Context, f Failure) (Choice, error) {
	for {
		choice, err := e.room.Choose(ctx, f)
		if err != nil || choice.Decided == "" {
			return choice, err
		}
		if f.Refused = CheckText(choice.Decided); f.Refused == nil {
			return choice, nil
		}
	}
}

// reach makes the keys reachable again, for a step that lost them: PIN, probe, canaries.
func (e *engine) reach(ctx context.Context, lost Step) error {
	for i, s := range e.steps {
		if s.Name == lost.Name {
			e.enter(i)
			return nil
		}
		if s.Reach {
			e.enter(i)
			if err := e.perform(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// interrupted writes down why a run ends: a signal, or somebody at the console.
func (e *engine) interrupted(ctx context.Context, s Step) error {
	_, err := e.append(ctx, transcript.Noted, s.Name,
		Facts{transcript.FactInterrupted: printable.Text(context.Cause(ctx).Error())})
	return errors.Join(&StoppedError{s.Name}, err)
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
