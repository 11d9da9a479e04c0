package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/term"
)

// loggedIn opens the provider for a command that only reads. The PIN comes from
// the configured file, else from the terminal. Nobody is there who could allow a
// token's final try.
func loggedIn(ctx context.Context, o *options, cfg config.Config) (provider.Provider, error) {
	t, err := o.terminal()
	if err != nil {
		return nil, err
	}
	p, err := openProvider(ctx, cfg, t, nil)
	if err != nil {
		return nil, err
	}
	how := pinOf(cfg)
	how.File = cfg.Encryption.PINFile
	entry := login.Login{
		PIN: how, Dir: cfg.Transcripts,
		Lend: func(_ context.Context, use func(*term.Terminal) error) error {
			if t == nil {
				return engine.ErrNobody
			}
			return use(t)
		},
		Report: func(what string) { fmt.Fprintln(os.Stderr, "kekceremony:", what) },
		Final: func(t provider.Tries) error {
			return fmt.Errorf("log in to token %s: %s: %w", t.Token, t.Warning, provider.ErrFinalTry)
		},
	}
	if err := entry.Into(ctx, p); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}
