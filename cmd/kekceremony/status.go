package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/config"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func statusCommand(o *options) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show lock, versions, envelopes, fleet, last ceremony, and what is due",
		Long: `status reads the store and uses no token. What processes say they read is
their own claim; "kekceremony verify" checks it. What is due stands last, in
the order in which to do it, each with its command: an unfinished ceremony;
versions that are not as the last ceremony left them, or were never used;
envelopes at another version; a disabled version whose waiting period is over;
open copies of a destroyed key; an end of the active version (half of the
wraps that its key is good for, its planned end of use, policy.max_age); a key
of the roster that expires; a role with too few live processes; a process that
fell silent, has trouble, or writes another version. With --check the exit
code is 6 while anything is due. --check also asks the provider for the keys
of all versions, and for keys of no version, if it needs no PIN or has it in a
file. docs/status.schema.json describes --json.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			due, err := showStatus(cmd.Context(), cmd.OutOrStdout(), o, check)
			if err == nil && check && due > 0 {
				err = fmt.Errorf("status: %w", errDue)
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with code 6 while anything is due")
	return cmd
}

// showStatus returns how much is due.
func showStatus(ctx context.Context, w io.Writer, o *options, check bool) (due int, err error) {
	cfg, err := o.readConfig()
	if err != nil {
		return 0, err
	}
	st, err := look(ctx, o, cfg, check)
	if err != nil {
		return 0, err
	}
	if o.json {
		return len(st.Due), writeJSON(w, st)
	}
	return len(st.Due), writeStatus(w, st, o.typing)
}

// look reads the status; with check it asks the provider as well, if that needs nobody.
func look(ctx context.Context, o *options, cfg config.Config, check bool) (st status.Status, err error) {
	s, err := parts(ctx, cfg, nil, 0)
	if err != nil {
		return st, err
	}
	defer s.Store.Close()
	site := status.Site{Store: s.Store, Catalogue: s.Catalogue, Live: s.Fleet.Live, Expect: s.Fleet.Expect,
		Policy: status.Policy{MaxAge: cfg.Policy.MaxAge, Warning: cfg.Policy.Warning}, Bundles: s.Bundles,
		Resume: steps.Resume, Adopts: s.Records != "",
		Pointer: s.Pointer}
	for _, source := range cfg.Sources {
		site.Sources = append(site.Sources, status.Source(source))
	}
	_, lockErr := s.Store.Lock(ctx)
	if check && lockErr == nil && (cfg.Encryption.PINFile != "" || !cfg.Encryption.Settings.OnToken()) {
		if site.Provider, err = loggedIn(ctx, o, cfg); err != nil {
			return st, err
		}
		defer site.Provider.Close()
	}
	return status.Look(ctx, site)
}
