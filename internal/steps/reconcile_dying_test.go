package steps_test

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
)

// TestReconcileDying: a reconciliation of a store that lost everything loses its power at each
// write in turn. The same command continues, and in the end store and bundles are the same.
func TestReconcileDying(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	r.generate(2)
	lose(t, r.parts)
	died := diesAtEachWrite(t, func(dying func(store.Store) store.Store) error {
		parts := *r.site()
		parts.Keys = parts.Keys[:2] // M: a further final would be late
		parts.Store = dying(parts.Store)
		parts, c, err := steps.Restored(t.Context(), parts)
		if err != nil {
			return err
		}
		return engine.Run(t.Context(), parts, nobody(r.parts), c)
	}, func() {})
	t.Logf("%d deaths", died)
	r.whole()
}
