package steps

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// switchWriters moves the pointer. Both versions stay readable throughout.
func switchWriters() Step {
	return Step{
		Name: transcript.ActSwitch, Title: "Switch the writers", Holds: true,
		Why: "From now on, applications write with the target version.",
		Act: &Act{
			Plan: func(s *Site, f Facts) []Effect {
				object := "writers to version " + f[transcript.FactTo]
				if adopted(s) {
					object += ", also in the application's " + describe(s.Pointer)
				}
				return append(lifting(f), Effect{Verb: "switch", Object: object, Undo: "rotate back"})
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				to := f.Version(transcript.FactTo)
				active, err := s.Store.Active(ctx)
				var k store.KEK
				if err == nil {
					k, err = findKEK(ctx, s, to)
				}
				if errors.Is(err, store.ErrNotFound) { // the store lost it
					return NotBegun, nil, nil
				}
				if err != nil || active.Version != to || k.State != store.Live {
					return NotBegun, nil, err
				}
				if refused, err := refused(ctx, s, f); err != nil || refused {
					return Partly, nil, err
				}
				if follow, err := theyFollow(ctx, s, f); err != nil || !follow {
					return Partly, nil, err
				}
				return Done, Facts{transcript.FactActive: to.String()}, nil
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				to := f.Version(transcript.FactTo)
				if err := lift(ctx, s, f); err != nil {
					return nil, err
				}
				if err := moveActive(ctx, s, to); err != nil {
					return nil, err
				}
				return nil, moveTheirs(ctx, s, f)
			},
		},
	}
}

// moveActive makes a retired target live again first: what writers use is
// never called retired.
func moveActive(ctx context.Context, s *Site, to kek.Version) error {
	k, err := findKEK(ctx, s, to)
	if err != nil {
		return err
	}
	if err := writable(k); err != nil {
		return err
	}
	if k.State == store.Retired {
		if err := s.Store.MoveKEK(ctx, to, store.Retired, store.Live); err != nil {
			return err
		}
	}
	active, err := s.Store.Active(ctx)
	if err != nil || active.Version == to {
		return err
	}
	return s.Store.MoveActive(ctx, active, store.Active{Version: to, Epoch: active.Epoch + 1})
}
