package mongo_test

import (
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// TestCanFenceWithoutValidators: a server that changes a collection, and has no validators, is told before a ceremony
// plans a fence there. DocumentDB is one, unless it is set up otherwise: a rotation would have stopped at the fence.
func TestCanFenceWithoutValidators(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	server.WithoutValidators(10)
	if err := s.CanFence(t.Context(), envelope.Catalogue{envelope.At("things", "f")}); !errors.Is(err, store.ErrNoFence) {
		t.Errorf("can fence: %v, not %v", err, store.ErrNoFence)
	}
}
