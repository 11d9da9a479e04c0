package engine

import (
	"context"
	"slices"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

func (e *engine) desk(s Step) Desk {
	return Desk{
		Show: e.show,
		Note: func(ctx context.Context, facts Facts) error {
			_, err := e.append(ctx, transcript.Noted, s.Name, facts)
			return err
		},
		Log:  slices.Clip(e.log.Events),
		Lend: e.room.Lend,
		Approve: func(ctx context.Context, step string, effects ...Effect) error {
			return e.gather(ctx, Step{Name: step, Gather: &Gather{Purpose: quorum.Approve, Effects: effects}})
		},
	}
}

// closedDesk is a step's desk when its log is closed: nothing can be written, and so
// nobody can approve the final try of a PIN.
func (e *engine) closedDesk() Desk {
	return Desk{
		Show:    e.show,
		Note:    func(context.Context, Facts) error { return nil },
		Log:     slices.Clip(e.log.Events),
		Lend:    e.room.Lend,
		Approve: func(context.Context, string, ...Effect) error { return provider.ErrFinalTry },
	}
}
