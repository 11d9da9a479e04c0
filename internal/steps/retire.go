package steps

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// retire marks every version but the target as read-only.
func retire() Step {
	return Step{
		Name: transcript.ActRetire, Title: "Retire the old versions",
		Why: "Retired versions stay readable. Nothing is written with them.",
		Act: &Act{
			Plan: func(_ *Site, f Facts) []Effect {
				return []Effect{{Verb: "retire", Object: "every version but " + f[transcript.FactTo] + ", still readable",
					Undo: "rotate back"}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				live, retired, err := others(ctx, s, f.Version(transcript.FactTo))
				if err != nil || len(live) > 0 {
					return NotBegun, nil, err
				}
				return Done, Facts{transcript.FactRetired: strings.Join(retired, " ")}, nil
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				live, _, err := others(ctx, s, f.Version(transcript.FactTo))
				for _, v := range live {
					if err == nil {
						err = s.Store.MoveKEK(ctx, v, store.Live, store.Retired)
					}
				}
				if err != nil {
					return nil, err
				}
				return forget(ctx, s, f)
			},
		},
	}
}

// forget deletes the heartbeats that people have accounted for, and those of processes that
// stopped before: the next gate need not read them. Those of a role that refused an envelope stay: they are how a
// destruction knows that the refusal is a true one.
func forget(ctx context.Context, s *Site, f Facts) (Facts, error) {
	before, err := gateOf(f)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
	if now.Before(before) { // its clock went back
		before = now
	}
	before = before.Add(-s.Fleet.Live)
	roles, err := refusers(ctx, s)
	if err != nil {
		return nil, err
	}
	n, err := s.Store.Forget(ctx, before, roles)
	return Facts{"forgotten": fmt.Sprintf("%d heartbeats not seen since %s", n, before.Format(time.RFC3339))}, err
}

// others lists the versions but one that are live, or retired.
func others(ctx context.Context, s *Site, but kek.Version) (live []kek.Version, retired []string, err error) {
	keks, err := s.Store.KEKs(ctx)
	for _, k := range keks {
		switch {
		case k.Version == but:
		case k.State == store.Live:
			live = append(live, k.Version)
		case k.State == store.Retired: // the others are on their way out, and stay as they are
			retired = append(retired, k.Version.String())
		}
	}
	return live, retired, err
}
