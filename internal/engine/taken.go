package engine

import (
	"context"
)

// taken writes a report down at once. No plan depends on it, so an approval stays good.
func (e *engine) taken(ctx context.Context) func(Report) error {
	return func(r Report) error {
		facts, err := r.Facts()
		switch {
		case err != nil:
			return err
		case e.log.State.Outcome != "":
			return ErrLate
		case e.site.reported(facts):
			return nil
		}
		return e.deviate(ctx, e.view.Step, facts)
	}
}
