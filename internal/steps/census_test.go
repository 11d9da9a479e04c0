package steps_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
)

// searched counts how often every record is searched for envelopes outside the catalogue.
type searched struct {
	store.Store
	times *atomic.Int32
}

func (s searched) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Place, error) {
	s.times.Add(1)
	return s.Store.Strangers(ctx, cat)
}

// TestCensusSearches: a slow writer puts an envelope at a place outside the catalogue after the first count. The
// second count finds it. A rotation searches every record twice: before people approve it, and then.
func TestCensusSearches(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	late := 0
	room := watched{nobody(r.parts), func(v engine.View) {
		if v.Step == "census" && strings.HasSuffix(v.Waiting, "a write that is under way now is in the second count") {
			if late++; late == 1 {
				change(t, r.parts, `CREATE TABLE late (id INTEGER PRIMARY KEY, kek_version INTEGER, s_wrapped_dek BLOB,
					s_nonce BLOB, s_ciphertext BLOB, s_kek_version INTEGER, s_provider TEXT)`,
					`INSERT INTO late VALUES (1, 1, zeroblob(60), zeroblob(12), zeroblob(40), 1, 'env')`)
			}
		}
	}}
	var times atomic.Int32
	rotate := func() error {
		s := *r.site()
		s.Store = searched{s.Store, &times}
		return engine.Run(t.Context(), s, room, steps.Rotate(steps.Rotation{To: 2}))
	}
	if err := rotate(); !errors.Is(err, steps.ErrStrangers) || !strings.Contains(err.Error(), "count 2: [late.s]") {
		t.Errorf("a late envelope outside the catalogue: %v", err)
	}
	if late == 0 || times.Load() != 2 {
		t.Errorf("%d waits, %d searches", late, times.Load())
	}
	r.stands(1, store.Live)
	change(t, r.parts, `DROP TABLE late`)
	times.Store(0)
	if err := rotate(); err != nil || times.Load() != 2 {
		t.Errorf("without it: %v, %d searches", err, times.Load())
	}
	r.stands(1, store.Retired)
}
