package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
)

func rosterCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "roster",
		Short: "Change who may sign or how many must, approved by the current quorum",
		Long: `roster runs the ceremony that replaces the chain's roster. The current quorum
approves the change, and each new key signs a proof: its line must allow
roster-v1@kekceremony. No token is used.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			return perform(cmd.Context(), o, running(steps.ChangeRoster()))
		}),
	}
}
