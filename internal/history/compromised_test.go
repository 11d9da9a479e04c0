package history_test

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// TestStandingCompromised: a store that went back has forgotten that a version is compromised. What M sign
// of how its versions stand has not.
func TestStandingCompromised(t *testing.T) {
	v := history.Versions{Made: map[kek.Version]store.KEK{1: {State: store.Compromised}, 2: {State: store.Live}}}
	for want, c := range map[string]struct {
		one    store.State
		active kek.Version
	}{
		"1 compromised, 2 active":          {store.Retired, 2},
		"1 active and compromised, 2 live": {store.Live, 1},
	} {
		got, err := v.Standing([]store.KEK{{Version: 1, State: c.one}, {Version: 2, State: store.Live}}, c.active)
		if err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}
