package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/certautopilot/kekceremony/internal/nearest"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// meant adds to an error the known name that a mistyped one is like, if there is one.
func meant(err error, best string) error {
	return fmt.Errorf("%w%s", err, nearest.Question(best))
}

// unknown refuses a name that is none of those known.
func unknown(what, typed string, known []string) error {
	err := fmt.Errorf("%s %s: want %s", what, printable.Quote(typed), either(known))
	return &usageError{meant(err, nearest.To(typed, known))}
}

// either lists names of which one is wanted.
func either(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// unknownCommand refuses a word that is no command of a group.
func unknownCommand(group *cobra.Command, word string) error {
	var known []string
	for _, c := range group.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	err := fmt.Errorf("unknown command %s for %q", printable.Quote(word), group.CommandPath())
	return meant(err, nearest.To(word, known))
}

// commandNamed is the command that words name.
func commandNamed(root *cobra.Command, words []string) (*cobra.Command, error) {
	cmd, rest, err := root.Find(words)
	if err == nil && len(rest) > 0 {
		err = unknownCommand(cmd, rest[0])
	}
	return cmd, err
}

// flagRefused says what is wrong with a flag, and which one a mistyped one is like.
func flagRefused(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				flags = append(flags, f.Name)
			}
		})
		best := nearest.To(unknown.GetSpecifiedName(), flags)
		if best == "" || unknown.GetSpecifiedShortnames() != "" { // no flag has a letter
			return err
		}
		return meant(err, "--"+best)
	case errors.As(err, &value):
		why := value.Unwrap()
		var number *strconv.NumError
		if errors.As(why, &number) {
			why = errors.New("want a number")
		}
		return fmt.Errorf("--%s %s: %w", value.GetFlag().Name, printable.Quote(value.GetValue()), why)
	}
	return err
}

// words is a flag that takes one of some words.
type words struct {
	value *string
	of    []string
}

// oneOf is a flag whose value is one of some words, the first if it is not given.
func oneOf(value *string, all ...string) pflag.Value {
	*value = all[0]
	return &words{value, all}
}

func (c *words) String() string { return *c.value }

func (c *words) Type() string { return "string" }

func (c *words) Set(typed string) error {
	if !slices.Contains(c.of, typed) {
		return meant(errors.New("want "+either(c.of)), nearest.To(typed, c.of))
	}
	*c.value = typed
	return nil
}
