package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
)

func installCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Lock the store to a provider and generate version 1",
		Args:  noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			return perform(cmd.Context(), o, running(steps.Install()))
		}),
	}
	bindFlag(cmd, o)
	return cmd
}

// bindFlag is that of each command that makes a version.
func bindFlag(cmd *cobra.Command, o *options) {
	cmd.Flags().BoolVar(&o.bind, "bind", false,
		"bind what the new version wraps to its records (docs/envelope.md), and each later version")
}
