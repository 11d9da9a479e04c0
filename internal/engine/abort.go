package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// gatherOnly leaves of the steps only those that gather the people. A key that was
// begun must be whole, with its canary: nobody else would ever take it for ours.
func (e *engine) gatherOnly() error {
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
		return fmt.Errorf("ceremony %d, %s: version %s is only partly generated: %w", e.site.Seq, e.Kind,
			e.facts()[transcript.FactTo], ErrNoAbort)
	}
	e.did = e.acts()
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Gather != nil && s.Gather.Purpose == quorum.Attend })
	e.steps = e.steps[:i+1]
	return nil
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
	said := func(names []string) string {
		if len(names) == 0 {
			return "none"
		}
		return strings.Join(names, ", ")
	}
	return Facts{transcript.FactDone: said(done), transcript.FactHalfDone: said(begun)}
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
