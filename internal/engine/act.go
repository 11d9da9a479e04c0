package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// act derives the plan again, begins, does, and looks (promises 1 and 5).
func (e *engine) act(ctx context.Context, s Step) error {
	state, facts, err := s.Act.State(ctx, e.site, e.facts())
	if err != nil {
		return err
	}
	begun := e.log.State.Begun(s.Name)
	if state == Done && !begun && s.Act.Fresh {
		return fmt.Errorf("step %s: %w", s.Name, ErrPlanted)
	}
	if state == Done { // found so after an interruption; without its approval the line is refused
		return e.end(ctx, transcript.Done, s.Name, facts)
	}
	if err := e.approved(ctx, s.Name); err != nil {
		return err
	}
	if !begun {
		if _, err := e.append(ctx, transcript.Begun, s.Name, nil); err != nil {
			return err
		}
	}
	did, err := s.Act.Do(ctx, e.site, e.facts(), e.desk(s))
	if err != nil {
		return err
	}
	known := maps.Clone(e.facts())
	maps.Copy(known, did)
	state, facts, err = s.Act.State(ctx, e.site, known)
	if err != nil {
		return err
	}
	if state != Done {
		return fmt.Errorf("step %s: it was done, but the check after it does not show it: %w", s.Name, ErrUndone)
	}
	maps.Copy(facts, did)
	return e.end(ctx, transcript.Done, s.Name, facts)
}

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
	if then := approval.Event.Facts[transcript.FactSHA256]; now.digest() != then {
		return fmt.Errorf("step %s: approved %s, now %s: %w", act, then, now.digest(), ErrPlanMoved)
	}
	return nil
}
