package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func disableCommand(o *options) *cobra.Command {
	return versionCommandOf(o, steps.Disable, cobra.Command{
		Use:   "disable --version N",
		Short: "Have every process drop version N, which no envelope needs, and refuse it",
		Long: `disable runs the ceremony that takes a retired or compromised version out of use:
its key is not touched, but processes drop it and refuse to open envelopes with
it. It is refused while the version is active, or while an envelope is at it, in
whatever place. It ends when every live process has acknowledged, and nothing was
counted at the version twice. A version is destroyed only after it was disabled
for the waiting period that the plan of this ceremony says: 30 days, or
policy.backup_retention if that is longer; fewer (policy.destroy_wait) is a
deviation. Roles of fleet.uncounted, of which no process reports, are one as well.
To undo it: kekceremony enable --version N.`,
	})
}

func enableCommand(o *options) *cobra.Command {
	return versionCommandOf(o, steps.Enable, cobra.Command{
		Use:   "enable --version N",
		Short: "Have the disabled version N read again",
		Long: `enable runs the ceremony that undoes disable: the version is retired again, or
compromised if it was, and every process loads its key at its next heartbeat. It
is refused once a destruction of the version was begun.`,
	})
}

// versionCommandOf is the command of a ceremony on the one version that --version names.
func versionCommandOf(o *options, of func(kek.Version) engine.Ceremony, cmd cobra.Command) *cobra.Command {
	var named string
	cmd.Args = noArgument
	cmd.RunE = ran(func(cmd *cobra.Command, _ []string) error {
		v, err := kek.ParseVersion(named)
		if err != nil {
			return &usageError{fmt.Errorf("--version: %w", err)}
		}
		return perform(cmd.Context(), o, running(of(v)))
	})
	cmd.Flags().StringVar(&named, "version", "", "version of the KEK")
	_ = cmd.MarkFlagRequired("version")
	return &cmd
}
