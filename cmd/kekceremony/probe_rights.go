package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// probeRights finds out what an application's login may do to keys. The console makes a key of no
// value, a process that is logged in as an application tries to make one and to destroy this one,
// and the console destroys it.
func probeRights(
	ctx context.Context, o *options, cfg config.Config, console provider.Provider, pinFile string,
	report func(provider.Verdict),
) (err error) {
	limited, ok := cfg.Encryption.Settings.(provider.Limited)
	if !ok {
		return &usageError{fmt.Errorf("--application-pin: the provider is %s, which has no users", cfg.Encryption.Provider)}
	}
	trial := limited.TrialKey()
	if _, err := console.Find(ctx, trial); errors.Is(err, provider.ErrNoKey) { // else an earlier run was killed
		err = console.Generate(ctx, trial)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer func() {
		gone := console.Destroy(ctx, trial)
		if !errors.Is(gone, provider.ErrNoKey) { // which the application destroyed
			err = errors.Join(err, gone)
		}
	}()
	cfg.Encryption.Settings, cfg.Encryption.PINFile = limited.ForProcess(), pinFile
	application, err := loggedIn(ctx, o, cfg)
	if err != nil {
		return fmt.Errorf("as an application: %w", err)
	}
	defer application.Close()
	return application.Probe(ctx, report)
}
