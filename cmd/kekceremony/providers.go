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

// registerProviders names the kinds of providers there are. A new one is its package, its
// section of the configuration, and its line in each function of this file.
func registerProviders() { keeper.Register(env.Config{}, pkcs11.Config{}) }

// settingsOf are those of the configured provider.
func settingsOf(c config.Encryption) provider.Settings {
	if c.Provider == env.Name {
		return env.Config{SecretsFile: c.Env.SecretsFile}
	}
	p := c.PKCS11
	return pkcs11.Config{
		ModulePath: p.ModulePath, TokenLabel: p.TokenLabel, TokenSerial: p.TokenSerial, IVFromHSM: p.IVFromHSM,
		Sessions: p.Sessions, InitArgs: p.InitArgs, LoadByPath: p.LoadByPath,
		Identity: pkcs11.Identity{Label: p.Identity, Public: p.IdentityPublic},
	}
}

// openProvider opens the provider in a process of its own, which may be lent the
// terminal; nil: there is none.
func openProvider(
	ctx context.Context, c config.Config, t *term.Terminal, known func(map[string]string) error,
) (provider.Provider, error) {
	settings := settingsOf(c.Encryption)
	kept := keeper.Config{
		Settings: settings, Environment: c.Encryption.PKCS11.Environment, Deadline: c.Encryption.PKCS11.Deadline,
	}
	p, err := keeper.Open(ctx, kept, t, known)
	if err == nil {
		return p, nil
	}
	if !settings.OnToken() && !errors.Is(err, provider.ErrKeeper) {
		err = &usageError{err} // the keys are configuration
	}
	return nil, err
}
