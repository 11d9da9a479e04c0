package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Compromise marks a version whose key others know, or may know: nothing is written with it any
// more, and what it wrote is read until everything is at another version. It touches no token: it
// must not wait for one. 0: no command names the version.
func Compromise(v kek.Version) Ceremony {
	return Ceremony{
		Kind: transcript.KindCompromise, Open: openCompromise(v), Matches: names(v), Steps: compromiseSteps,
		Binds: bindVersion, Command: onVersion("compromise"),
		Summary: func(f Facts) []string {
			return []string{
				"Version " + f[transcript.FactVersion] + " is compromised: readable, never written again.",
				f[transcript.FactExposed] + " envelopes have data keys that it wrapped, or may have wrapped. " +
					"Their list is beside the bundle.",
				"Next: rotate to another version, then have the application reseal them. kekceremony status counts what is left.",
			}
		},
	}
}

func compromiseSteps(Facts) []Step {
	return []Step{
		chainRoster(),
		attend(false),
		place(),
		approve("approve", transcript.ActCompromise),
		compromise(),
		stopped(),
		exposed(),
		leaving(),
	}
}

// openCompromise takes a version that somebody can still read or write with.
func openCompromise(v kek.Version) func(context.Context, *Site, store.Lock) (Facts, error) {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		_, active, err := installed(ctx, s, lock)
		if err != nil {
			return nil, err
		}
		k, err := findKEK(ctx, s, v)
		if err != nil {
			return nil, err
		}
		if _, made := s.History.Canary(v); !made {
			return nil, fmt.Errorf("version %d: no closed ceremony generated it: %w", v, engine.ErrPlanted)
		}
		switch k.State {
		case store.Live, store.Retired:
		case store.Compromised: // perhaps by a ceremony that was aborted, or by hand
			if s.History.Exposed(v) {
				return nil, fmt.Errorf("version %d is compromised already: %w", v, engine.ErrNothingDue)
			}
		default:
			return nil, fmt.Errorf("version %d is %s: %w", v, k.State, ErrNotInUse)
		}
		return Facts{transcript.FactVersion: v.String(), transcript.FactActive: active.Version.String()}, nil
	}
}
