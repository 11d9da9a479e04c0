package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/login"
	"github.com/certautopilot/kekceremony/internal/provider"
)

func agentCommand(o *options) *cobra.Command {
	var role string
	var binds bool
	cmd := &cobra.Command{
		Use:   "agent --role ROLE",
		Short: "Report that this host holds every key version (the heartbeat of a fleet process)",
		Args:  noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.readConfig()
			if err != nil {
				return err
			}
			if err := fleet.CheckRole(role); err != nil {
				return &usageError{fmt.Errorf("--%w", err)}
			}
			if err := cfg.Encryption.CheckCredential(); err != nil {
				return &usageError{err}
			}
			return runAgent(cmd, cfg, role, binds)
		}),
	}
	cmd.Flags().StringVar(&role, "role", "", "role of the process, as under fleet.expect")
	cmd.Flags().BoolVar(&binds, "binds", false,
		"the program beside it can use versions that are bound to records (docs/envelope.md)")
	_ = cmd.MarkFlagRequired("role")
	return cmd
}

func runAgent(cmd *cobra.Command, cfg config.Config, role string, binds bool) error {
	ctx := cmd.Context()
	report := func(line string) {
		fmt.Fprintf(os.Stderr, "%s kekceremony: agent: %s\n", time.Now().UTC().Format(time.RFC3339), line)
	}
	fleet.WarnUnexpected(role, cfg.Fleet.Expect, report)
	db, err := configuredStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	lock, err := checkLock(ctx, cfg, db)
	if err != nil {
		return err
	}
	cfg.Encryption.Settings = provider.ForProcess(cfg.Encryption.Settings)
	open := func(ctx context.Context) (provider.Provider, error) {
		p, err := openProvider(ctx, cfg, nil, nil)
		if err == nil {
			err = keepTo(ctx, p, &cfg.Encryption)
		}
		if err == nil && cfg.Encryption.PINFile != "" {
			how := pinOf(cfg)
			how.File = cfg.Encryption.PINFile
			if err = (login.Login{PIN: how, Dir: cfg.Transcripts}).Into(ctx, p); err != nil {
				err = errors.Join(err, p.Close())
			}
		}
		return p, err
	}
	p, err := await(ctx, cfg.Fleet.Heartbeat, open, report)
	if err != nil {
		return err
	}
	a := fleet.Member{
		Store: db, Provider: p, Open: open, Chain: lock.Chain, Role: role, Every: cfg.Fleet.Heartbeat, Report: report,
		Placed: !cfg.Encryption.Settings.OnToken(), Binds: binds,
	}
	return errors.Join(a.Run(ctx), a.Close())
}

// keepTo has an agent come back to the token that it began with, and to no other of
// that label: another one would get its PIN.
func keepTo(ctx context.Context, p provider.Provider, c *config.Encryption) error {
	settings, ok := c.Settings.(provider.Pinned)
	if !ok {
		return nil
	}
	about, err := p.Describe(ctx)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	c.Settings = settings.PinnedTo(about)
	return nil
}

// await opens the provider. A token that is not there yet is tried again at each
// heartbeat; wrong configuration and a refused PIN never are.
func await(
	ctx context.Context, every time.Duration, open func(context.Context) (provider.Provider, error), report func(string),
) (provider.Provider, error) {
	for {
		p, err := open(ctx)
		if err == nil || hopeless(err) {
			return p, err
		}
		if ctx.Err() == nil {
			report(err.Error())
		}
		select {
		case <-ctx.Done():
			return nil, engine.ErrInterrupted
		case <-time.After(every):
		}
	}
}

// hopeless reports an error that waiting does not mend.
func hopeless(err error) bool {
	var usage *usageError
	return errors.As(err, &usage) || errors.Is(err, provider.ErrPINRefused) || errors.Is(err, provider.ErrPINLocked) ||
		errors.Is(err, provider.ErrFinalTry)
}
