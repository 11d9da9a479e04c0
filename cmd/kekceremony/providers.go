package main

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/provider/keeper"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/term"
)

// providers are the kinds of providers that there are. A new one is its package, and its place
// here; its name is that of its section in the configuration.
var providers = []provider.Settings{env.Config{}, pkcs11.Config{}}

// openProvider opens the provider in a process of its own, which may be lent the
// terminal; nil: there is none.
func openProvider(
	ctx context.Context, c config.Config, t *term.Terminal, known func(map[string]string) error,
) (provider.Provider, error) {
	settings := c.Encryption.Settings
	p, err := keeper.OpenMany(ctx, settings, t, known)
	if err == nil {
		return p, nil
	}
	if !settings.OnToken() && !errors.Is(err, provider.ErrKeeper) {
		err = &usageError{err} // the keys are configuration
	}
	return nil, err
}
