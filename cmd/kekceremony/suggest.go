package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/certautopilot/kekceremony/internal/nearest"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// grouped has a command that only groups others refuse a word that is none of them.
func grouped(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("unknown command %s for %q", printable.Quote(args[0]), cmd.CommandPath())
		cmd.SuggestionsMinimumDistance = nearest.Farthest
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(like, " or "))
		}
		return err
	}
	if cmd.RunE == nil {
		cmd.RunE = ran(func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	}
}

// flagSuggested names the flag that a mistyped one is like.
func flagSuggested(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			flags = append(flags, f.Name)
		}
	})
	typed := unknown.GetSpecifiedName()
	best := nearest.To(typed, flags)
	if best == "" || len(typed) < 2 {
		return err
	}
	return fmt.Errorf("%w; did you mean --%s?", err, best)
}
