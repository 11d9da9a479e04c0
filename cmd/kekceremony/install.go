package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
)

func installCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Lock the store to a provider and generate version 1",
		Args:  cobra.NoArgs,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			return perform(cmd.Context(), o, running(steps.Install()))
		}),
	}
}
