package main

import (
	"context"
	"strings"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
)

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
		Exchange: c.Exchange, Revoked: c.Revoked, Founding: strings.ToLower(strings.Join(strings.Fields(c.Founding), "")),
		Catalogue: catalogue, Records: c.Adopted.Prefix(), Pointer: c.Adopted.Theirs(), Control: rewrap.NewControl(rate),
	}
	configured(&s, c, t)
	if c.Rehearsal != nil {
		s.RosterPath = c.Rehearsal.Roster
	}
	for _, path := range c.Keys {
		k, err := quorum.OpenKeyFile(ctx, path)
		if err != nil {
			return engine.Parts{}, &usageError{&keyFileError{err}}
		}
		s.Keys = append(s.Keys, k)
	}
	db, err := configuredStore(ctx, c)
	if err != nil {
		return engine.Parts{}, err
	}
	s.Store = db
	return s, nil
}

// configured sets what may be corrected while a ceremony runs.
func configured(s *engine.Parts, c config.Config, t *term.Terminal) {
	s.Kind = c.Encryption.Settings
	s.OpenProvider = func(ctx context.Context, known func(map[string]string) error) (provider.Provider, error) {
		return openProvider(ctx, c, t, known)
	}
	file := s.PIN.File
	s.PIN = pinOf(c)
	s.PIN.File = file
	s.Fleet = engine.FleetConfig{Heartbeat: c.Fleet.Heartbeat, Live: c.Fleet.Live, Expect: c.Fleet.Expect,
		Uncounted: c.Fleet.Uncounted, Unfenced: c.Fleet.Unfenced}
	s.Policy = engine.Policy{BackupRetention: c.Policy.BackupRetention, DestroyWait: c.Policy.DestroyWait}
}

// pinOf is how people log in.
func pinOf(c config.Config) login.PIN {
	how := login.PIN{Parts: c.Encryption.PINParts, Tries: c.Encryption.PINTries}
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
