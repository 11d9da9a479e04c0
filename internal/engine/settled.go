package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// settled reports whether an earlier run of the tool already did the step.
func (e *engine) settled(ctx context.Context, s Step) (bool, error) {
	log := e.log.State
	switch {
	case !e.resumed:
		return false, nil
	case s.Gather != nil:
		request, ok := log.Requested(s.Name)
		if !ok || !request.Gathered {
			return false, nil
		}
		if s.Gather.Purpose == quorum.Approve && !e.allDone(s.Gather.Acts) {
			now, err := e.derive(ctx, s.Gather) // a plan that changed is asked again, even if an act was begun
			return now.digest() == request.Event.Facts[transcript.FactSHA256], err
		}
		return true, nil
	case s.Act != nil:
		if !log.Done(s.Name) {
			return false, nil
		}
		state, _, err := s.Act.State(ctx, e.site, e.facts())
		if err == nil && state != Done {
			err = fmt.Errorf("step %s: %w", s.Name, ErrUndone)
		}
		return true, err
	}
	// Of answers that were copied from the store nobody knows who gave them.
	doubtful := s.Ask != nil && s.ends() == transcript.Answered && e.log.Copied
	return !s.EveryRun && log.Ended(s.Name, s.ends()) && !doubtful, nil
}

func (e *engine) allDone(acts []string) bool {
	return !slices.ContainsFunc(acts, func(act string) bool { return !e.log.State.Done(act) })
}
