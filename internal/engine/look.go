package engine

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// lookAgain looks at every act of a ceremony whose end this console did not write, before
// people sign that end: a line in the store says that an act is done, and anyone who can
// write to the store can write lines. It appends nothing, as the log is closed.
func (e *engine) lookAgain(ctx context.Context) error {
	for i, s := range e.steps {
		switch {
		case s.Reach:
			e.enter(i)
			if _, err := s.Look(ctx, e.site, e.facts(), e.closedDesk()); err != nil {
				return fmt.Errorf("step %s: %w", s.Name, err)
			}
		case s.Act != nil:
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

// closedDesk is a step's desk when its log is closed: nothing can be written, and so
// nobody can approve the final try of a PIN.
func (e *engine) closedDesk() Desk {
	return Desk{
		Show:    e.show,
		Note:    func(context.Context, Facts) error { return nil },
		Lend:    e.room.Lend,
		Approve: func(context.Context, string, ...Effect) error { return provider.ErrFinalTry },
	}
}
