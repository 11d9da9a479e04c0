package engine

import (
	"context"

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
		Lend: e.room.Lend,
		Approve: func(ctx context.Context, step string, effects ...Effect) error {
			return e.gather(ctx, Step{Name: step, Gather: &Gather{Purpose: quorum.Approve, Effects: effects}})
		},
	}
}
