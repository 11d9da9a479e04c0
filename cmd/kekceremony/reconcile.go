package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

func reconcileCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "reconcile",
		Short: "Give a store that went back to an older copy what its bundles have",
		Long: `reconcile runs the ceremony for a store that was restored from a backup and
lacks ceremonies whose bundles are on this console. It shows both histories; when
M operators approve, the store gets the lines and finals that it lacks, and lost
versions are made again with the keys on the token. Nothing is overwritten, and
neither the active version nor an envelope is changed: the count at the end says
whether a rotation is due. A store that has anything else than the bundles is
refused. An unfinished ceremony must be aborted first.`,
		Args: cobra.NoArgs,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			return perform(cmd.Context(), o, ceremony{kind: transcript.KindReconcile,
				run: func(ctx context.Context, parts engine.Parts, room engine.Room) error {
					m, err := history.Merge(ctx, parts.Store, parts.Bundles)
					if err != nil {
						return err
					}
					parts.Store = m
					return engine.Run(ctx, parts, room, steps.Reconcile())
				}})
		}),
	}
}
