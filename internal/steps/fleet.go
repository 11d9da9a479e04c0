package steps

import (
	"context"
	"strings"

	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// verifyFleet is the gate: nothing is written with the target before every
// live process has proved that it can read it.
func verifyFleet() Step {
	return Step{
		Name: "fleet", Title: "Verify the fleet", EveryRun: true,
		Why: "Every live process must prove that it holds the target version before anything is written with it.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			w, err := watchFleet(ctx, s, f.Version(transcript.FactTo))
			if err != nil {
				return nil, err
			}
			defer w.close()
			t, err := w.until(ctx, d, fleet.Table.Lacking)
			return Facts{"fleet": processes(t), transcript.FactSilent: t.Silent()}, err
		},
	}
}

func processes(t fleet.Table) string {
	var names []string
	for _, p := range t.Live() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
