package steps

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// without is the gate of a disable: every live process works with the active version before another one
// is taken from it.
func without() Step {
	s := verifyFleet()
	s.Why = "Every live process must prove that it holds the active version before another version is taken from it."
	return s
}

// dropped waits until every live process says that it has read the new state, and has dropped the version's key.
func dropped() Step {
	return Step{
		Name: "dropped", Title: "Wait until every process has dropped the key", EveryRun: true,
		Why: "Each live process acknowledges the new state: it drops the version's key, and says that it has.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			w, err := watchFleet(ctx, s, f.Version(transcript.FactActive))
			if err != nil {
				return nil, err
			}
			defer w.close()
			w.rule.Dropped = f.Version(transcript.FactVersion)
			if w.rule.Active, err = s.Store.Active(ctx); err != nil {
				return nil, err
			}
			t, err := w.until(ctx, d, fleet.Table.Holding)
			if err != nil {
				return nil, err
			}
			facts := Facts{}
			return facts, name(s, facts, "acknowledged", t.LiveNames())
		},
	}
}
