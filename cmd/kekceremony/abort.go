package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// kindAbort is what the answers of an abort are called: it is no ceremony of its own.
const kindAbort = "abort"

func abortCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "abort",
		Short: "Abort the unfinished ceremony; what it did stays done",
		Long: `abort ends the ceremony that is not finished: M operators attend, and sign that
end. What it did stays done, and the next ceremony continues from there. Of a
ceremony that began to destroy a key, they first approve that the key is kept: only
while it is found, and opens the version's canary. The version is disabled again.

An install that has made nothing (no key, no version, no lock) is given up instead:
the operator says who gives it up, and why, and once anybody attended, M sign that.
It is archived as void, outside every chain: in the store in kek_void, here as
BUNDLE-void. The store is as it was before, and the next install is ceremony 1 of a
new chain. After an interruption the same command continues. Unattended, the answers
have the lines "ceremony: abort", "operator: NAME" and "reason: TEXT".`,
		Args: noArgument,
		RunE: ran(func(cmd *cobra.Command, _ []string) error {
			abort := func(ctx context.Context, parts engine.Parts, room engine.Room) error {
				withBundles(ctx, &parts)
				return engine.Abort(ctx, parts, room, steps.All())
			}
			return perform(cmd.Context(), o, ceremony{kind: kindAbort, run: abort})
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
