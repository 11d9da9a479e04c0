package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// grouped has a command that only groups others refuse a word that is none of them.
func grouped(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("unknown command %s for %q", printable.Quote(args[0]), cmd.CommandPath())
		cmd.SuggestionsMinimumDistance = farthest
		if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(like, " or "))
		}
		return err
	}
	if cmd.RunE == nil {
		cmd.RunE = ran(func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	}
}

// farthest is how many letters may differ in what is suggested.
const farthest = 2

// flagSuggested names the flag that a mistyped one is like.
func flagSuggested(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	typed, best, least := unknown.GetSpecifiedName(), "", farthest+1
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if n := distance(typed, f.Name); n < least && !f.Hidden {
			best, least = f.Name, n
		}
	})
	if best == "" || len(typed) < 2 {
		return err
	}
	return fmt.Errorf("%w; did you mean --%s?", err, best)
}

// distance is how many letters must be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, change)
		}
	}
	return row[len(b)]
}
