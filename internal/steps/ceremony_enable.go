package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Enable has a disabled version read again: it is what it was before. v is the version that the command
// names; 0: none.
func Enable(v kek.Version) Ceremony {
	return Ceremony{
		Kind: transcript.KindEnable, Open: openEnable(v), Matches: names(v), Steps: enableSteps, Binds: bindVersion,
		Command: onVersion("enable"),
		Summary: func(f Facts, _ transcript.Events) []string {
			return []string{"Version " + f[transcript.FactVersion] + " may be read again. " +
				"Each process loads it at its next heartbeat."}
		},
	}
}

func enableSteps(Facts) []Step {
	return []Step{
		chainRoster(),
		attend(false),
		place(),
		pin(),
		probe(false),
		approve("approve", transcript.ActEnable),
		enable(),
		leaving(),
	}
}

// openEnable refuses what is not disabled.
func openEnable(v kek.Version) func(context.Context, *Site, store.Lock) (Facts, error) {
	return func(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
		facts, k, err := openVersion(ctx, s, lock, v)
		if err == nil && k.State != store.Disabled && k.State != store.Destroying && !s.History.Versions().Unsure[v] {
			err = fmt.Errorf("version %d is %s, not disabled: %w", v, k.State, engine.ErrNothingDue)
		}
		return facts, err
	}
}

// enable undoes a disable.
func enable() Step {
	return Step{
		Name: transcript.ActEnable, Title: "Enable the version",
		Why: "The version is again what it was before it was disabled. Processes load its key, and open envelopes with it.",
		Act: &Act{
			Plan: func(s *Site, f Facts) []Effect {
				v := f.Version(transcript.FactVersion)
				return []Effect{{Verb: "enable", Undo: "disable it again",
					Object: fmt.Sprintf("version %d, which is %s again: processes read with it", v, s.History.Versions().Before(v))}}
			},
			State: func(ctx context.Context, s *Site, f Facts) (State, Facts, error) {
				return stateMoved(ctx, s, f, s.History.Versions().Before(f.Version(transcript.FactVersion)))
			},
			Do: func(ctx context.Context, s *Site, f Facts, _ Desk) (Facts, error) {
				v := f.Version(transcript.FactVersion)
				if err := whole(ctx, s, v); err != nil { // signing takes time
					return nil, err
				}
				row, err := rowOf(ctx, s, v)
				if err == nil && row == store.Destroying { // people decided that the row is wrong
					err = s.Store.MoveKEK(ctx, v, row, store.Disabled)
				}
				if err != nil {
					return nil, err
				}
				return nil, moveState(ctx, s, f, s.History.Versions().Before(v))
			},
		},
	}
}
