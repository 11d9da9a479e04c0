package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
)

func rosterCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "roster",
		Short: "Change who may sign, or how many must, by the quorum there is",
		Long: `roster holds the ceremony that puts another roster in the place of the chain's.
The old quorum approves it, and everybody whose key is new proves to hold it: a
new key's line must allow roster-v1@kekceremony. No token is touched.`,
		Args: cobra.NoArgs,
		RunE: held(func(cmd *cobra.Command, _ []string) error {
			return perform(cmd.Context(), o, running(steps.ChangeRoster()))
		}),
	}
}
