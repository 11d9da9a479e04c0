package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/env"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func initCommand(o *options) *cobra.Command {
	var made string
	cmd := &cobra.Command{
		Use:   "pkcs11-init --version N",
		Short: "Make version N on the token ahead of the rotation to it",
		Args:  cobra.NoArgs,
		RunE: held(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(made)
			if err != nil {
				return &usageError{err}
			}
			cfg, err := o.readConfig()
			if err != nil {
				return err
			}
			if cfg.Encryption.Provider == env.Name {
				return &usageError{fmt.Errorf("pkcs11-init: the configured provider is %s; rotate makes its next key", env.Name)}
			}
			return perform(cmd.Context(), o, running(steps.Generate(v)))
		}),
	}
	cmd.Flags().StringVar(&made, "version", "", "version to make: the next one")
	_ = cmd.MarkFlagRequired("version")
	return cmd
}
