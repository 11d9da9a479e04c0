package steps_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestDisableDying: a disable loses its power at each write in turn, and then an enable. The same command continues.
// Meanwhile nobody runs another ceremony, and the key is there; in the end the version is what the last one made it.
func TestDisableDying(t *testing.T) {
	t.Parallel()
	r := rotated(t, 3)
	for _, c := range []struct {
		kind         string
		ceremony     steps.Ceremony
		before, then store.State
	}{
		{transcript.KindDisable, steps.Disable(1), store.Retired, store.Disabled},
		{transcript.KindEnable, steps.Enable(1), store.Disabled, store.Retired},
	} {
		died := diesAtEachWrite(t, func(dying func(store.Store) store.Store) error {
			parts := *r.site()
			parts.Keys = parts.Keys[:2] // M: a further final would be late
			parts.Store = dying(parts.Store)
			return engine.Run(t.Context(), parts, nobody(r.parts), c.ceremony)
		}, func() {
			if state := r.states()[0]; state != c.before && state != c.then || !r.hasKey(1) {
				t.Errorf("%s: version 1 is %s; its key is there: %t", c.kind, state, r.hasKey(1))
			}
			if err := r.destroy(nil); err == nil || errors.Is(err, errDied) {
				t.Errorf("%s: destroy: %v", c.kind, err)
			}
		})
		t.Logf("%s: %d deaths", c.kind, died)
		r.stands(1, c.then)
		r.whole()
	}
}

// TestEnableGone: while people sign that a version is enabled, its key disappears. Nothing is enabled: processes would
// be asked for what they cannot open.
func TestEnableGone(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	_ = r.secondConsole(false)
	room := r.atApproval(func() {
		file := filepath.Join(r.parts.Dir, "secrets.env")
		if err := os.Rename(filepath.Join(r.parts.Dir, "second.env"), file); err != nil {
			t.Error(err)
		}
	})
	if err := r.enable(1, room); !errors.Is(err, provider.ErrNoKey) {
		t.Errorf("got %v", err)
	}
	r.stands(1, store.Disabled)
}
