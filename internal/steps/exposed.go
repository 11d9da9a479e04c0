package steps

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// exposed lists what the compromised version wrapped. It waits a live period first: whatever a slow
// writer still had in hand has arrived by then.
func exposed() Step {
	return Step{
		Name: "exposed", Title: "List what was exposed",
		Why: "A re-wrap does not help these envelopes: an old copy and the key give their data keys. The list shows later " +
			"which of them were sealed again.",
		Look: func(ctx context.Context, s *Site, f Facts, d Desk) (Facts, error) {
			if err := noStrangers(ctx, s); err != nil {
				return nil, err
			}
			d.Show(func(v *View) { v.Waiting = s.Fleet.Live.String() + ", for what a slow writer still has in hand" })
			if err := wait(ctx, s.Fleet.Live); err != nil {
				return nil, err
			}
			at := since(s.History, f.Version(transcript.FactVersion))
			list, err := exposure.Of(ctx, s.Store, s.Catalogue, at)
			if err != nil {
				return nil, err
			}
			data := list.Bytes()
			facts := Facts{transcript.FactExposed: strconv.Itoa(len(list)), transcript.FactExposedSum: exposure.SHA256(data)}
			path := exposure.Path(filepath.Dir(s.Bundle), filepath.Base(s.Bundle), facts[transcript.FactExposedSum])
			return facts, keep(path, data)
		},
	}
}
