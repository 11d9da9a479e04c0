package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/provider/keeper"
)

// keeperCommand is the process that holds the module; only other commands start it.
func keeperCommand() *cobra.Command {
	return &cobra.Command{
		Use: keeper.Command, Short: "Keep the provider for another command", Hidden: true, Args: noArgument,
		RunE: ran(func(*cobra.Command, []string) error {
			if err := keeper.Serve(); err != nil {
				return &usageError{err}
			}
			return nil
		}),
	}
}
