package main

import (
	"context"
	"errors"
	"strings"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
)

// kept is the provider of a configuration.
func kept(c config.Config) keeper.Config {
	p := c.Encryption.PKCS11
	return keeper.Config{
		Provider: c.Encryption.Provider,
		Env:      env.Config{SecretsFile: c.Encryption.Env.SecretsFile},
		PKCS11: pkcs11.Config{
			ModulePath:  p.ModulePath,
			TokenLabel:  p.TokenLabel,
			TokenSerial: p.TokenSerial,
			IVFromHSM:   p.IVFromHSM,
			Sessions:    p.Sessions,
			InitArgs:    p.InitArgs,
			LoadByPath:  p.LoadByPath,
			Identity:    pkcs11.Identity{Label: p.Identity, Public: p.IdentityPublic},
		},
		Environment: p.Environment,
		Deadline:    p.Deadline,
	}
}

// openProvider opens the provider in a process of its own, which may be lent the
// terminal; nil: there is none.
func openProvider(
	ctx context.Context, c config.Config, t *term.Terminal, known func(map[string]string) error,
) (provider.Provider, error) {
	p, err := keeper.Open(ctx, kept(c), t, known)
	if err == nil {
		return p, nil
	}
	if c.Encryption.Provider == env.Name && !errors.Is(err, provider.ErrKeeper) {
		err = &usageError{err} // the keys are configuration
	}
	return nil, err
}

// parts puts the real parts together.
func parts(ctx context.Context, c config.Config, t *term.Terminal, rate int) (engine.Parts, error) {
	catalogue, err := c.FullCatalogue()
	if err != nil {
		return engine.Parts{}, &usageError{err}
	}
	tool, err := thisTool()
	if err != nil {
		return engine.Parts{}, err
	}
	s := engine.Parts{
		Mode: mode(c), Tool: tool, Bundles: c.Transcripts, PinnedChain: kek.Chain(c.Chain),
		ProviderName: c.Encryption.Provider,
		OpenProvider: func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
			return openProvider(ctx, c, t, known)
		},
		PIN:      pinOf(c),
		Exchange: c.Exchange, Revoked: c.Revoked, Founding: strings.ToLower(strings.Join(strings.Fields(c.Founding), "")),
		Catalogue: catalogue, Control: rewrap.NewControl(rate),
		Fleet: engine.FleetConfig{Beat: c.Fleet.Beat, Live: c.Fleet.Live, Expect: c.Fleet.Expect},
	}
	if c.Rehearsal != nil {
		s.RosterPath = c.Rehearsal.Roster
	}
	for _, path := range c.Keys {
		k, err := quorum.OpenKeyFile(ctx, path)
		if err != nil {
			return engine.Parts{}, &usageError{err}
		}
		s.Keys = append(s.Keys, k)
	}
	db, err := openStore(ctx, c.Store)
	if err != nil {
		return engine.Parts{}, err
	}
	s.Store = db
	return s, nil
}

// pinOf is how people log in.
func pinOf(c config.Config) engine.PIN {
	how := engine.PIN{Parts: c.Encryption.PINParts, Tries: c.Encryption.PINTries}
	if c.Rehearsal != nil {
		how.Hint = c.Rehearsal.PIN
	}
	return how
}

func mode(c config.Config) quorum.Mode {
	if c.Rehearsal != nil {
		return quorum.Rehearsal
	}
	return quorum.Production
}
