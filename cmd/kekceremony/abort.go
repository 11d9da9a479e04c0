package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
)

func abortCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "abort",
		Short: "Give up the ceremony that is not finished; what it did stays done",
		Args:  cobra.NoArgs,
		RunE: held(func(cmd *cobra.Command, _ []string) error {
			return hold(cmd.Context(), o, ceremony{kind: "abort", hold: steps.Abort})
		}),
	}
}
