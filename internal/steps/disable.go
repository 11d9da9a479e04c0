package steps

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// disable moves the version's state, and then has every process notice.
func disable() Step {
	return Step{
		Name: transcript.ActDisable, Title: "Disable the version",
		Why: "From now on processes drop the version's key, and refuse to open envelopes with it. The key is not touched.",
		Act: &Act{
			Plan: func(s *Site, f Facts) []Effect {
				v := f.Version(transcript.FactVersion)
				return append(unfenced(f, "what a late writer brings is only counted"), Effect{Verb: "disable", Undo: "enable it",
					Object: fmt.Sprintf("version %d, which was %s: processes no longer open envelopes at it, including those in "+
						"backups", v, s.History.Versions().Before(v))})
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				return stateMoved(ctx, s, f, store.Disabled)
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				state, _, err := stateMoved(ctx, s, f, store.Disabled)
				if err == nil && state == NotBegun { // envelopes may have come while people signed
					err = needed(ctx, s, f.Version(transcript.FactVersion))
				}
				if err == nil {
					err = moveState(ctx, s, f, store.Disabled)
				}
				return nil, err
			},
		},
	}
}

// epochOf is how often the pointer had moved when the ceremony was opened.
func epochOf(f Facts) (int, error) { return strconv.Atoi(f[transcript.FactEpoch]) }

// moveState moves a version to a state, and then the pointer to the version that it names already: a
// process whose heartbeat has the new epoch has read the new state.
func moveState(ctx context.Context, s *Site, f Facts, to store.State) error {
	was, err := epochOf(f)
	if err != nil {
		return err
	}
	v := f.Version(transcript.FactVersion)
	k, err := findKEK(ctx, s, v)
	if err != nil {
		return err
	}
	if k.State != to {
		if err := s.Store.MoveKEK(ctx, v, k.State, to); err != nil {
			return err
		}
	}
	active, err := s.Store.Active(ctx)
	if err != nil || active.Epoch > was {
		return err
	}
	return s.Store.MoveActive(ctx, active, store.Active{Version: active.Version, Epoch: was + 1})
}

// stateMoved looks whether moveState was done.
func stateMoved(ctx context.Context, s *Site, f Facts, to store.State) (State, Facts, error) {
	was, err := epochOf(f)
	if err != nil {
		return NotBegun, nil, err
	}
	k, err := findKEK(ctx, s, f.Version(transcript.FactVersion))
	var active store.Active
	if err == nil {
		active, err = s.Store.Active(ctx)
	}
	switch {
	case errors.Is(err, store.ErrNotFound): // the store lost it
		return NotBegun, nil, nil
	case err != nil || k.State != to:
		return NotBegun, nil, err
	case active.Epoch <= was:
		return Partly, nil, nil
	}
	return Done, Facts{}, nil
}
