package main

import (
	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func compromiseCommand(o *options) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "compromise --version N",
		Short: "Mark a version whose key others may know: it is read, and never written again",
		Long: `compromise runs the ceremony that marks a version as compromised. Applications
stop writing with it at once; if it is the active version, they write nothing
until a rotation to another version. They still read what it wrote. The ceremony
lists the envelopes that were exposed: after a rotation they need a new data key
and payload as well, which the application makes (docs/procedures.md). status
counts what is left. No token is used. A version stays compromised permanently.

A version that is disabled or destroyed may be compromised as well: it stays what it
is, and what was re-wrapped from it is listed. Run compromise again after records
were restored from a backup: it lists every envelope that is now at a version where
exposed ones may be.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			v, err := kek.ParseVersion(version)
			if err != nil {
				return &usageError{err}
			}
			return perform(cmd.Context(), o, running(steps.Compromise(v)))
		}),
	}
	cmd.Flags().StringVar(&version, "version", "", "version that is compromised")
	_ = cmd.MarkFlagRequired("version")
	return cmd
}
