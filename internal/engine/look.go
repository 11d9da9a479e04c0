package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// lookAgain looks at the acts of a ceremony whose end this console did not write, before
// people sign that end: a line in the store says that an act is done, and anyone who can
// write to the store can write lines. It appends nothing, as the log is closed. The
// re-wrap is not looked at: an application may have written with the old version since,
// which status reports, and a ceremony refused for that could never be finished.
func (e *engine) lookAgain(ctx context.Context) error {
	key := slices.ContainsFunc(e.steps, func(s Step) bool { return s.Name == transcript.ActGenerate })
	for i, s := range e.steps {
		switch {
		case s.Reach && key: // only a new key is looked for on the token
			e.enter(i)
			if _, err := s.Look(ctx, e.site, e.facts(), e.closedDesk()); err != nil {
				return fmt.Errorf("step %s: %w", s.Name, err)
			}
		case s.Act != nil && s.Name != transcript.ActRewrap:
			e.enter(i)
			state, _, err := s.Act.State(ctx, e.site, e.facts())
			if err != nil {
				return fmt.Errorf("step %s: %w", s.Name, err)
			}
			if state != Done {
				return fmt.Errorf("ceremony %d is closed as done, but is not: step %s: %w", e.site.Seq, s.Name,
					history.ErrHistory)
			}
		}
	}
	return nil
}
