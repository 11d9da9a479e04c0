package steps_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
)

// strictly is a store whose server judges a record whole, as MongoDB does where an application's own validator is
// strict. It swaps no record that has a refused version.
type strictly struct {
	store.Store
	set [][]kek.Version // what it was asked to refuse, in order
}

func (s *strictly) Fenced(ctx context.Context, c envelope.Catalogue) ([]store.Fenced, error) {
	all, err := s.Store.Fenced(ctx, c)
	for i := range all {
		all[i].Strict = len(all[i].Refused) > 0
	}
	return all, err
}

func (s *strictly) Fence(ctx context.Context, c envelope.Catalogue, refused []kek.Version) error {
	s.set = append(s.set, slices.Clone(refused))
	return s.Store.Fence(ctx, c, refused)
}

// TestLiftStrict: an excluded envelope stays at version 1, and the server takes no write to its record. With the fence
// for version 1, no later rotation could re-wrap what else the record has. It is lifted until the re-wrap is done, as
// the plan says.
func TestLiftStrict(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 6)
	place, id := rehearsal.Record(2)
	change(t, r.parts, fmt.Sprintf("UPDATE %s SET %s_wrapped_dek = randomblob(60) WHERE id = '%s'", place.Collection,
		place.Path, id))
	if err := r.rotate(nobody(r.parts)); !errors.Is(err, rewrap.ErrUndecryptable) {
		t.Fatal(err)
	}
	r.abort()
	s := r.site()
	server := &strictly{Store: s.Store}
	s.Store = server
	for to := kek.Version(2); to <= 3; to++ {
		rotation := steps.Rotation{To: to, Exclude: []string{place.String() + " " + id}}
		if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(rotation)); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]kek.Version{{1}, nil, {1, 2}} // the fence of the first, the lift of the second, and its fence
	if got := server.set[len(server.set)-3:]; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("refused, in order: %v, want %v", got, want)
	}
	lift := " lift: the server's fence for each version that an envelope is at, until the re-wrap is done: validators " +
		"are strict, in "
	if plan := r.plan(); !strings.Contains(plan, lift) {
		t.Errorf("plan %s", plan)
	}
	r.refuses(1, 2)
}
