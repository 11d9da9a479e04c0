package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// close writes the last line and final.txt, has people sign the end, and shows it.
func (e *engine) close(ctx context.Context) error {
	core, err := e.core(ctx)
	if err != nil {
		return err
	}
	f := &finals{engine: e, core: core, stated: map[string][]byte{}, said: map[string]transcript.Final{}}
	e.show(func(v *View) {
		v.Finals(e.log.State.Outcome != transcript.OutcomeDone)
		v.N, v.Of = len(e.steps)+1, len(e.steps)+1
		v.clear()
	})
	c, err := f.gather(ctx)
	if err != nil {
		return err
	}
	if !c.Undecided() {
		_ = e.clearSigning() // what people carried away is theirs
	}
	e.show(func(v *View) { v.Step, v.Title, v.Why, v.Ending = "", "", "", e.ending(f, c) })
	if err := f.agreed(c); err != nil && !e.log.State.Void() { // which nobody's verdict makes undone
		return err
	}
	return e.log.Finish()
}

// core closes the log, in the store too, and writes final.txt.
func (e *engine) core(ctx context.Context) ([]byte, error) {
	if err := e.done(); err != nil {
		return nil, err
	}
	if e.log.State.Outcome != "" {
		if err := e.lookAgain(ctx); err != nil {
			return nil, err
		}
	} else {
		if e.aborts {
			if err := e.lookAtDone(ctx); err != nil {
				return nil, err
			}
		}
		if _, err := e.append(ctx, transcript.Closed, "", e.closing()); err != nil {
			return nil, err
		}
	}
	switch {
	case e.log.Restored:
		e.warn("the store lacked lines of this ceremony that this console's disk has: it lost them, or somebody " +
			"wrote them here; read them before you sign")
	case e.log.Copied:
		e.warn(copiedLines)
	}
	if err := e.log.Believe(); err != nil {
		return nil, err
	}
	core, err := e.log.State.Core()
	if err != nil {
		return nil, err
	}
	closed := store.Ceremony{Seq: e.site.Seq, Outcome: e.log.State.Outcome, Head: e.log.Head(),
		Final: transcript.Digest(core)}
	if err := e.site.Store.CloseCeremony(ctx, closed); err != nil {
		return nil, err
	}
	return core, e.log.Final(ctx, transcript.CoreFile, core)
}

// done refuses an end that says done before every act of the kind is: one of ours, and one
// that somebody wrote into the store.
func (e *engine) done() error {
	lacks := strings.Join(e.log.State.Lacks(), ", ")
	switch open := e.log.State.Outcome == ""; {
	case lacks == "" || e.log.State.Aborted() || e.log.State.Void() || open && e.aborts:
		return nil
	case open:
		return fmt.Errorf("end of %s: not done: %s: %w", e.Kind, lacks, ErrUndone)
	}
	return fmt.Errorf("ceremony %d is closed as done, but is not: %s: %w", e.site.Seq, lacks, history.ErrHistory)
}

// closing are the facts of the last line.
func (e *engine) closing() Facts {
	if !e.aborts {
		return Facts{transcript.FactOutcome: transcript.OutcomeDone}
	}
	facts := Facts{transcript.FactOutcome: transcript.OutcomeAborted}
	if e.voids() {
		facts[transcript.FactOutcome] = transcript.OutcomeVoid
	}
	for name, value := range e.did {
		facts[name] = value
	}
	return facts
}
