package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func rotateCommand(o *options) *cobra.Command {
	var from, to string
	var rate int
	var exclude []string
	cmd := &cobra.Command{
		Use:   "rotate [--from-version N] --to-version M",
		Short: "Generate version M if needed, switch the writers to it, re-wrap every DEK",
		Args:  noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			r := steps.Rotation{Exclude: exclude}
			var err error
			if r.To, err = kek.ParseVersion(to); err != nil {
				return &usageError{fmt.Errorf("--to-version: %w", err)}
			}
			if cmd.Flags().Changed("from-version") { // an empty one was meant to be a version
				if r.From, err = kek.ParseVersion(from); err != nil {
					return &usageError{fmt.Errorf("--from-version: %w", err)}
				}
			}
			for _, name := range exclude {
				if !printable.IsText(name) {
					return &usageError{fmt.Errorf("--exclude %s: name it as the re-wrap named it", printable.Quote(name))}
				}
				if place, _, _ := strings.Cut(name, " "); strings.Contains(place, "[") {
					return &usageError{fmt.Errorf("--exclude %s: an element of an array may become another one under "+
						"the same name; repair it, or remove it from the array", printable.Quote(name))}
				}
			}
			o.rewraps = true
			c := running(steps.Rotate(r))
			c.rate = rate
			return perform(cmd.Context(), o, c)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&from, "from-version", "",
		"expected active version; to continue a rotation, the version it began with")
	f.StringVar(&to, "to-version", "", "version to rotate to")
	f.IntVar(&rate, "rate", 0, "maximum envelopes per second; 0: no limit")
	f.StringArrayVar(&exclude, "exclude", nil,
		"envelope to exclude if no key opens it, as the re-wrap named it; may be repeated")
	f.IntVar(&o.sessions, "sessions", 0, "token sessions that re-wrap in parallel; 0: find the fastest number")
	f.IntVar(&o.processes, "processes", 0,
		"processes with the token's module that re-wrap in parallel; 0: one or several, as is fastest")
	bindFlag(cmd, o)
	_ = cmd.MarkFlagRequired("to-version")
	return cmd
}
