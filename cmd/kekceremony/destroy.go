package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// destroyCommand has the name that the application's procedures use as well.
func destroyCommand(o *options) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:     "destroy --version N",
		Aliases: []string{"remove"},
		Short:   "Destroy the key of a disabled version, once its waiting period is over",
		Long: `destroy destroys the key of a version that was disabled, once the waiting period
that people signed is over and nothing needs the version. Nobody gets the key
back. While copies of it are open, the same command closes them.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(version)
			if err != nil {
				return &usageError{fmt.Errorf("--version: %w", err)}
			}
			return perform(cmd.Context(), o, running(steps.Destroy(v)))
		}),
	}
	cmd.Flags().StringVar(&version, "version", "", "version whose key is destroyed")
	_ = cmd.MarkFlagRequired("version")
	return cmd
}
