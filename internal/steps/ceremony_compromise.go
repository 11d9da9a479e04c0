package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
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
		Summary: summarizeCompromise,
		Next:    func(Facts) []engine.Next { return []engine.Next{{Label: "Status", Command: "kekceremony status"}} },
	}
}

func summarizeCompromise(f Facts, _ transcript.Events) []string {
	v, is, next := f[transcript.FactVersion], "readable, never written again", "rotate to another version, then "
	if stays := f[transcript.FactStays]; stays != "" {
		is, next = "it stays "+stays, ""
	}
	return []string{
		"Version " + v + " is compromised: " + is + ".",
		printable.Counted(f[transcript.FactExposed]) + " envelopes have data keys that it wrapped, or may have wrapped. " +
			"Their list is beside the bundle.",
		"Next: " + next + "have the application reseal them. The status counts what is left.",
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

// openCompromise takes any version that a ceremony made. Somebody who has the key of one that is disabled or
// destroyed has the data keys of old copies all the same.
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
		facts := Facts{transcript.FactVersion: v.String(), transcript.FactActive: active.Version.String()}
		known := k.State == store.Compromised // perhaps by a ceremony that was aborted, or by hand
		if !k.State.Readable() {
			facts[transcript.FactStays] = string(k.State)
			if is := s.History.Versions().Made[v].State; is != k.State {
				return nil, fmt.Errorf("version %d was %s, is %s: %w", v, is, k.State, history.ErrVersions)
			}
			known = true
		}
		if known {
			all, err := allListed(ctx, s, v)
			if err == nil && all {
				err = fmt.Errorf("version %d is compromised, and what it exposed is listed: %w", v, engine.ErrNothingDue)
			}
			if err != nil {
				return nil, err
			}
		}
		return facts, nil
	}
}
