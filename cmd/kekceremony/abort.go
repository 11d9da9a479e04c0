package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
)

func abortCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "abort",
		Short: "Abort the unfinished ceremony; what it did stays done",
		Args:  cobra.NoArgs,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			abort := func(ctx context.Context, parts engine.Parts, room engine.Room) error {
				withBundles(ctx, &parts)
				return engine.Abort(ctx, parts, room, steps.All())
			}
			return perform(cmd.Context(), o, ceremony{kind: "abort", run: abort})
		}),
	}
}

// withBundles has an abort see what the bundle of the last ceremony has and the store lost. Where
// the store lost nothing of that one, it is left alone.
func withBundles(ctx context.Context, parts *engine.Parts) {
	over, _, err := steps.Restored(ctx, *parts)
	if err == nil && over.Restored { // whatever the error is, the abort finds it as well
		*parts = over
	}
}
