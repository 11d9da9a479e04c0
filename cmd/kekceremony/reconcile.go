package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/engine"
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
refused. An unfinished ceremony comes first: reconcile continues it, where the
store can still follow; otherwise run kekceremony abort.`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			return perform(cmd.Context(), o, ceremony{kind: transcript.KindReconcile, run: reconcile})
		}),
	}
}

func reconcile(ctx context.Context, parts engine.Parts, room engine.Room) error {
	parts, c, err := steps.Restored(ctx, parts)
	if err != nil {
		return err
	}
	err = engine.Run(ctx, parts, room, c)
	if errors.Is(err, engine.ErrUndone) { // it was done before the store went back
		err = fmt.Errorf("%w: %w", err, transcript.ErrWentBack)
	}
	return err
}
