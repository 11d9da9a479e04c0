package steps

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// acknowledge waits until every live process writes the target.
func acknowledge() Step {
	return Step{
		Name: "acknowledge", Title: "Wait for the writers", EveryRun: true,
		Why: "No process may still write with the old version when its envelopes are re-wrapped.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			w, err := watchFleet(ctx, s, f.Version(transcript.FactTo))
			if err != nil {
				return nil, err
			}
			defer w.close()
			t, err := w.until(ctx, d, fleet.Table.Behind)
			if err != nil {
				return nil, err
			}
			facts := Facts{}
			return facts, name(s, facts, "writers", t.LiveNames())
		},
	}
}
