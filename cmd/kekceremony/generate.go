package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func generateCommand(o *options) *cobra.Command {
	var made string
	cmd := &cobra.Command{
		Use:     "generate --version N",
		Aliases: []string{"pkcs11-init"}, // as the application's procedures call it
		Short:   "Generate version N on the token before the rotation to it; N = 1: install",
		Long: `generate makes the next version on the token before the rotation to it, so that
the fleet can load it in the meantime. Version 1 is made by the install ceremony, so
"generate --version 1" is "kekceremony install". The procedures of CertAutoPilot call
this command pkcs11-init.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(made)
			if err != nil {
				return &usageError{err}
			}
			cfg, err := o.readConfig()
			if err != nil {
				return err
			}
			c, otherwise := steps.Generate(v), "rotate generates its next key"
			if v == 1 {
				c, otherwise = steps.Install(), "install generates its first key"
			}
			if !cfg.Encryption.Settings.OnToken() {
				return &usageError{fmt.Errorf("generate: the provider is %s; %s", cfg.Encryption.Provider, otherwise)}
			}
			return perform(cmd.Context(), o, running(c))
		}),
	}
	cmd.Flags().StringVar(&made, "version", "", "version to generate: the next one")
	_ = cmd.MarkFlagRequired("version")
	bindFlag(cmd, o)
	return cmd
}
