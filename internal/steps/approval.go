package steps

import (
	"context"
	"fmt"
	"slices"
)

// approved refuses an act whose approval is missing, short, or over another
// plan than today's.
func (e *engine) approved(ctx context.Context, act string) error {
	approval, err := e.log.State.Approval(act)
	if err != nil {
		return fmt.Errorf("step %s: %w", act, err)
	}
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Gather != nil && slices.Contains(s.Gather.Acts, act) })
	now, err := e.derive(ctx, e.steps[i].Gather)
	if err != nil {
		return err
	}
	if then := approval.Event.Facts["sha256"]; now.digest() != then {
		return fmt.Errorf("step %s: approved %s, now %s: %w", act, then, now.digest(), ErrPlanMoved)
	}
	return nil
}
