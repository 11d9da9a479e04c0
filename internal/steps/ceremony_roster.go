package steps

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ChangeRoster changes who may sign, or how many must: by the old quorum, with a proof of
// each new key.
func ChangeRoster() Ceremony {
	return Ceremony{
		Kind: transcript.KindRoster, Open: openRoster, Steps: rosterSteps, Binds: bind,
		Command: func(Facts) string { return "kekceremony roster" },
		Summary: func(f Facts, _ transcript.Events) []string {
			return []string{"The next ceremony uses the roster " + f[transcript.FactChanged] + "."}
		},
	}
}

func rosterSteps(Facts) []Step {
	return []Step{
		chainRoster(),
		attend(false),
		place(),
		askNextRoster(),
		prove(),
		approve("approve", transcript.ActChange),
		change(),
		leaving(),
	}
}

// openRoster lets the roster of an installed store be changed.
func openRoster(_ context.Context, _ *Site, lock store.Lock) (Facts, error) {
	if lock.Chain == "" {
		return nil, ErrNotInstalled
	}
	return Facts{}, nil
}
