package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// grouped has a command that only groups others refuse a word that is none of them.
func grouped(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return nil
	}
	if cmd.RunE == nil {
		cmd.RunE = ran(func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	}
}

// noArgument is for a command that takes flags alone.
func noArgument(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no argument: %s", cmd.CommandPath(), printable.Quote(args[0]))
	}
	return nil
}

// oneArgument is for a command that takes one, which its usage line names.
func oneArgument(cmd *cobra.Command, args []string) error {
	name := strings.Fields(cmd.Use)[1]
	switch {
	case len(args) == 0:
		return fmt.Errorf("%s is missing; usage: %s", name, cmd.UseLine())
	case len(args) > 1:
		return fmt.Errorf("only one %s, not %s as well; usage: %s", name, printable.Quote(args[1]), cmd.UseLine())
	}
	return nil
}

// helped has the help command refuse what is no command.
func helped(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = func(_ *cobra.Command, words []string) error {
				_, err := commandNamed(root, words)
				return err
			}
		}
	}
}
