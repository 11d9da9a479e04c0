package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/steps"
)

func adoptCommand(o *options) *cobra.Command {
	var sample int
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Put a chain over a database that an application made before there were ceremonies",
		Long: `adopt is the first ceremony of a database that has envelopes and no chain. The
configuration's section adopted describes it; "kekceremony catalogue suggest" finds
the places. adopt opens every envelope with the key of its version and changes
nothing. When M operators approve, each version that was found gets a canary, and
the store a lock, under names of our own beside the application's. These versions
are marked as made outside a ceremony for good: rotate to a version that a ceremony
generates. A rotation moves the application's own pointer as well.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			if sample < 0 {
				return &usageError{errors.New("--sample: want 1 or more, or 0 for all")}
			}
			return perform(cmd.Context(), o, running(steps.Adopt(sample)))
		}),
	}
	cmd.Flags().IntVar(&sample, "sample", 0, "envelopes of each place to open, a deviation; 0: all")
	return cmd
}
