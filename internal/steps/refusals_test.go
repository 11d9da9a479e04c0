package steps_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// TestRefusals: all that stands in the way of a destruction is told at once. A refused use, which people may explain,
// does not begin the ceremony beside another reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	r.writeLate(1, 5) // the fence is gone
	r.forges("db9/backup/1/000000-00000000", "backup")
	err := r.destroy(func(s *engine.Parts) { s.Fleet.Expect = map[string]int{"batch": 1} })
	var all steps.Refusals
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	want := []error{steps.ErrNeeded, steps.ErrFenceGone, steps.ErrAbsent, steps.ErrRefused}
	if !slices.EqualFunc(all, want, errors.Is) || strings.Count(err.Error(), "; ") != 3 {
		t.Errorf("got %v", err)
	}
	r.untouched()
}
