package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
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
	"github.com/certautopilot/kekceremony/internal/tui"
)

func (o *options) configPath() string {
	if o.config != "" {
		return o.config
	}
	return config.Default
}

// readConfig reads the file and what the flags put in its place.
func (o *options) readConfig() (config.Config, error) {
	c, err := config.Read(o.configPath())
	if err != nil {
		return c, &usageError{err}
	}
	if o.store != "" {
		if err := config.CheckStore(o.store); err != nil {
			return c, &usageError{fmt.Errorf("--store: %w", err)}
		}
		c.Store = o.store
	}
	if o.sessions > 0 {
		c.Encryption.PKCS11.Sessions = o.sessions
	}
	c.Keys = append(c.Keys, o.keys...)
	return c, nil
}

// kept is the provider of a configuration.
func kept(c config.Config) keeper.Config {
	p := c.Encryption.PKCS11
	return keeper.Config{
		Provider: c.Encryption.Provider,
		Env:      env.Config{SecretsFile: c.Encryption.Env.SecretsFile},
		PKCS11: pkcs11.Config{ModulePath: p.ModulePath, TokenLabel: p.TokenLabel, TokenSerial: p.TokenSerial,
			IVFromHSM: p.IVFromHSM, Sessions: p.Sessions, InitArgs: p.InitArgs, LoadByPath: p.LoadByPath, Identity: pkcs11.Identity{Label: p.Identity, Public: p.IdentityPublic}},
		Environment: p.Environment, Deadline: p.Deadline,
	}
}

// openProvider opens the provider in a process of its own, which may be lent the
// terminal; nil: there is none.
func openProvider(ctx context.Context, c config.Config, t *term.Terminal, known func(map[string]string) error) (provider.Provider, error) {
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

func thisTool() (engine.Tool, error) {
	t := engine.Tool{Version: version()}
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return t, fmt.Errorf("digest this program: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
	return t, err
}

// ceremony is one of the commands that run one.
type ceremony struct {
	kind string // as the answers' file calls it
	run  func(context.Context, engine.Parts, engine.Room) error
	rate int
}

// running runs a ceremony to its end.
func running(c engine.Ceremony) ceremony {
	return ceremony{kind: c.Kind, run: func(ctx context.Context, parts engine.Parts, room engine.Room) error {
		return engine.Run(ctx, parts, room, c)
	}}
}

// perform runs a ceremony in the room that --ui names.
func perform(ctx context.Context, o *options, c ceremony) error {
	cfg, err := o.readConfig()
	if err != nil {
		return err
	}
	terminal, err := o.terminal()
	if err != nil {
		return err
	}
	s, err := parts(ctx, cfg, terminal, c.rate)
	if err != nil {
		return err
	}
	defer s.Store.Close()
	if s.ProviderName == env.Name { // no token is touched: a wrong key is told before anything begins
		p, err := s.OpenProvider(ctx, nil)
		if err != nil {
			return err
		}
		if err := p.Close(); err != nil {
			return err
		}
	}
	if terminal != nil {
		return tui.Run(ctx, terminal, s.Control, func(ctx context.Context, room engine.Room) error {
			return c.run(ctx, s, room)
		})
	}
	answers, err := o.answersFor(c.kind)
	if err != nil {
		return err
	}
	s.PIN.File = cfg.Encryption.PINFile
	return unattended(ctx, s, c, answers)
}

// terminal is nil when nobody is in the room.
func (o *options) terminal() (*term.Terminal, error) {
	switch o.ui {
	case "none":
		return nil, nil
	case "tui":
		return term.Open()
	case "auto":
		t, err := term.Open()
		if errors.Is(err, term.ErrNone) {
			return nil, nil
		}
		return t, err
	}
	return nil, &usageError{fmt.Errorf("--ui %q: want auto, tui or none", o.ui)}
}
