package steps

import (
	"context"
	"path/filepath"
	"strconv"

	"github.com/certautopilot/kekceremony/internal/exposure"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
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

// since are a compromised version, and those to which its envelopes were re-wrapped since.
func since(h history.History, v kek.Version) map[kek.Version]bool {
	all := map[kek.Version]bool{v: true}
	reached := false
	for _, log := range h.Logs {
		to := log.Facts.Version(transcript.FactTo)
		_, adopted := log.Facts.Adopted()[v]
		reached = reached || adopted && log.Done(transcript.ActAdopt)
		if adopted {
			for other := range log.Facts.Adopted() { // nobody knows in which order they were used
				all[other] = true
			}
		}
		if reached && log.Begun(transcript.ActSwitch) {
			all[to] = true
		}
		reached = reached || to == v && (log.Begun(transcript.ActSwitch) ||
			log.Facts[transcript.FactKind] == transcript.KindInstall)
	}
	return all
}
