package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func initCommand(o *options) *cobra.Command {
	var made string
	cmd := &cobra.Command{
		Use:   "pkcs11-init --version N",
		Short: "Generate version N on the token before the rotation to it",
		Args:  cobra.NoArgs,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(made)
			if err != nil {
				return &usageError{err}
			}
			cfg, err := o.readConfig()
			if err != nil {
				return err
			}
			if !cfg.Encryption.Settings.OnToken() {
				return &usageError{fmt.Errorf("pkcs11-init: the provider is %s; rotate generates its next key",
					cfg.Encryption.Provider)}
			}
			return perform(cmd.Context(), o, running(steps.Generate(v)))
		}),
	}
	cmd.Flags().StringVar(&made, "version", "", "version to generate: the next one")
	_ = cmd.MarkFlagRequired("version")
	return cmd
}
