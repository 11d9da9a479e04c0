package steps

import (
	"context"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Install is the first ceremony of a store: it draws a chain, makes version 1 and locks the
// store.
func Install() Ceremony {
	return Ceremony{
		Kind: transcript.KindInstall, Open: openInstall, Steps: installSteps, Binds: bind,
		Void: &engine.Void{Steps: giveUp, Made: madeByInstall}, Changed: changedInstall,
		Command: func(Facts) string { return "kekceremony install" },
		Summary: func(f Facts, _ transcript.Events) []string {
			return []string{
				"Version " + f[transcript.FactTo] + " was generated and is active: " + f[transcript.FactLabel] + ".",
				"The store is locked to provider " + f[transcript.FactProvider] + ".",
			}
		},
	}
}

func installSteps(Facts) []Step {
	return []Step{
		askRoster(),
		attend(true),
		place(),
		askProvider(),
		pin(),
		probe(true),
		approve("approve", transcript.ActGenerate, transcript.ActCanary, transcript.ActLock),
		generate(),
		canary(true),
		copies(),
		lock(),
		leaving(),
	}
}

// openInstall refuses a store that is not empty.
func openInstall(ctx context.Context, s *Site, lock store.Lock) (Facts, error) {
	if s.Records != "" {
		return nil, fmt.Errorf("the configuration has a section adopted: %w", ErrAdopted)
	}
	if err := onlyLock(ctx, s); err != nil {
		return nil, err
	}
	if err := unused(ctx, s, lock); err != nil {
		return nil, err
	}
	facts := Facts{transcript.FactTo: "1"}
	if err := makesBound(s, facts, 0); err != nil {
		return nil, err
	}
	return facts, refuseEnvelopes(ctx, s)
}

func refuseEnvelopes(ctx context.Context, s *Site) error {
	strangers, err := s.Store.Strangers(ctx, envelope.Catalogue{})
	if err != nil {
		return err
	}
	if len(strangers) > 0 {
		return fmt.Errorf("it holds envelopes in %s: %w", printable.Text(strangers[0].String()), ErrStoreUsed)
	}
	return nil
}
