package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// lookAgain looks at what an end says before people sign it, when this run did not write it.
// It appends nothing, as the log is closed. Equal logs prove nothing about the records: a
// store may have been restored in between. And where lines were copied from the store, anyone
// who can write there can have written them.
func (e *engine) lookAgain(ctx context.Context) error {
	if !e.resumed || e.log.State.Void() { // nothing was done, and the void looks at that
		return nil
	}
	if e.log.State.Aborted() {
		if err := e.wholeKey(ctx); err != nil {
			return err
		}
		return e.lookAtDone(ctx)
	}
	reached, err := e.reachAgain(ctx)
	if err != nil {
		return err
	}
	for i, s := range e.steps {
		if s.Act == nil || s.Act.Fresh && !reached {
			continue
		}
		e.enter(i)
		if err := e.stillDone(ctx, s); err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
	}
	return nil
}

// reachAgain makes the keys reachable where the ceremony made one. A token that is away, or is
// another one since, must not make an end impossible to sign: nothing can be written about it
// any more. People are told. Over copied lines that nobody looked at they sign nothing then:
// the console that wrote them can.
func (e *engine) reachAgain(ctx context.Context) (reached bool, err error) {
	if !slices.ContainsFunc(e.steps, func(s Step) bool { return s.Act != nil && s.Act.Fresh }) {
		return false, nil
	}
	for i, s := range e.steps {
		if !s.Reach {
			continue
		}
		e.enter(i)
		_, err := s.Look(ctx, e.site, e.facts(), e.closedDesk())
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return false, err
		case e.log.Doubtful:
			return false, fmt.Errorf("step %s: %w", s.Name, err)
		default:
			e.warn("nobody looked at the key again: " + printable.Text(err.Error()))
			return false, nil
		}
	}
	return true, nil
}

// stillDone demands that an act's state is that of its line. Of a re-wrap it only says so: an
// application may have written with the old version since, and a ceremony refused for that
// could never be finished.
func (e *engine) stillDone(ctx context.Context, s Step) error {
	state, facts, err := s.Act.State(ctx, e.site, e.facts())
	if err != nil {
		return err
	}
	wrong := func(what string) error {
		return fmt.Errorf("ceremony %d is closed as done: %s: %w", e.site.Seq, what, transcript.ErrWentBack)
	}
	switch {
	case state != Done && s.Name == transcript.ActRewrap:
		return e.leftSince()
	case state != Done && e.lostWithStore(s):
		e.warn("the log says that " + s.Name + " was done, and it is not in effect")
		return nil
	case state != Done:
		return wrong("the act is not")
	}
	logged := e.facts()
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if facts[name] != logged[name] {
			if e.lostWithStore(s) && !s.Act.Fresh {
				e.warn(fmt.Sprintf("%s is %s, and the log says %s", name, facts[name], logged[name]))
				continue
			}
			return wrong(fmt.Sprintf("%s is %s, and the log says %s", name, facts[name], logged[name]))
		}
	}
	return nil
}

// lostWithStore reports whether an act may be undone because the store went back since, which
// people are there to judge: what a rotation or a reconciliation does again, or the canary of a
// key, which a reconciliation makes again.
func (e *engine) lostWithStore(s Step) bool {
	return e.log.Restored && !e.room.Alone() && (!s.Act.Fresh || s.Name == transcript.ActCanary)
}

// leftSince has people know, before they sign, that envelopes are at another version now.
// Where nobody is there who could judge it, nothing is signed.
func (e *engine) leftSince() error {
	if e.room.Alone() {
		return ErrLeftSince
	}
	e.warn(ErrLeftSince.Error())
	return nil
}

// lookAtDone warns those who sign an abort of acts that were done and are not in effect any
// more. A key is not looked at: nobody attends with a token to abort.
func (e *engine) lookAtDone(ctx context.Context) error {
	for _, s := range e.Steps(e.log.State.Opened()) {
		if s.Act == nil || !e.log.State.Done(s.Name) {
			continue
		}
		if s.Act.Fresh {
			if e.log.Copied {
				e.warn("the log says that " + s.Name + " was done, and nobody looks at the key")
			}
			continue
		}
		state, _, err := s.Act.State(ctx, e.site, e.facts())
		if err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
		if state != Done {
			e.warn("the log says that " + s.Name + " was done, and it is not in effect")
		}
	}
	return nil
}

// warn adds what people must know before they sign the end.
func (e *engine) warn(what string) {
	if e.warning != "" {
		e.warning += "; "
	}
	e.warning += what
}
