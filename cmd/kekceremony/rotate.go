package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func rotateCommand(o *options) *cobra.Command {
	var to string
	var rate int
	var exclude []string
	cmd := &cobra.Command{
		Use:   "rotate --to-version M",
		Short: "Make version M if need be, switch the writers to it, re-wrap every DEK",
		Args:  cobra.NoArgs,
		RunE: held(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(to)
			if err != nil {
				return &usageError{err}
			}
			for _, name := range exclude {
				if !printable.IsText(name) {
					return &usageError{fmt.Errorf("--exclude %s: name it as the re-wrap named it", printable.Quote(name))}
				}
			}
			return hold(cmd.Context(), o, ceremony{kind: steps.Rotate, hold: holding(steps.Rotate, steps.OpenRotate(v), steps.RotateSteps), rate: rate, to: v, exclude: exclude})
		}),
	}
	cmd.Flags().StringVar(&to, "to-version", "", "version to rotate to")
	cmd.Flags().IntVar(&rate, "rate", 0, "envelopes per second at most; 0 is no limit")
	cmd.Flags().StringArrayVar(&exclude, "exclude", nil, "envelope that may be left when no key opens it, as the re-wrap named it; may be repeated")
	cmd.Flags().IntVar(&o.sessions, "sessions", 0, "sessions of the token that re-wrap at once; 0 is as many as are fastest")
	_ = cmd.MarkFlagRequired("to-version")
	return cmd
}
