package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// kekCommand is the group of commands under the names that procedures of the application give
// them.
func kekCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kek",
		Short: "Commands on the KEK as the application's procedures name them",
		Long: `kek runs a command of the same name without "kek", so that the procedures of
CertAutoPilot run as they are written: "kekceremony kek rotate" is
"kekceremony rotate".`,
		Args: noArgument,
		RunE: ran(func(*cobra.Command, []string) error { return &usageError{errors.New("kek: no command")} }),
	}
	cmd.AddCommand(generateCommand(o), verifyCommand(o), rotateCommand(o), compromiseCommand(o), disableCommand(o),
		enableCommand(o), destroyCommand(o), statusCommand(o))
	return cmd
}
