package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func rotateCommand(o *options) *cobra.Command {
	var to string
	var rate int
	cmd := &cobra.Command{
		Use:   "rotate --to-version M",
		Short: "Make version M if need be, switch the writers to it, re-wrap every DEK",
		Args:  cobra.NoArgs,
		RunE: held(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(to)
			if err != nil {
				return &usageError{err}
			}
			return hold(cmd.Context(), o, ceremony{kind: steps.Rotate, hold: holding(steps.Rotate, steps.OpenRotate(v), steps.RotateSteps), rate: rate, to: v})
		}),
	}
	cmd.Flags().StringVar(&to, "to-version", "", "version to rotate to")
	cmd.Flags().IntVar(&rate, "rate", 0, "envelopes per second at most; 0 is no limit")
	cmd.Flags().IntVar(&o.sessions, "sessions", 0, "sessions of the token that re-wrap at once; 0 is as many as are fastest")
	_ = cmd.MarkFlagRequired("to-version")
	return cmd
}
