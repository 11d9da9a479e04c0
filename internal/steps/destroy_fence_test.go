package steps_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestDestroyFenceGone: during the waiting period a migration makes tables again, without the fence, or somebody drops
// it while people sign. A writer that slept could write after the last count, so nothing is destroyed until a rotation
// has set the fence again.
func TestDestroyFenceGone(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	unfence(t, r.parts)
	if err := r.destroy(nil); !errors.Is(err, steps.ErrFenceGone) ||
		!strings.Contains(err.Error(), "takes writes with version 1") {
		t.Errorf("got %v", err)
	}
	r.untouched()
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	room := r.atApproval(func() { unfence(t, r.parts) })
	if err := engine.Run(t.Context(), *r.site(), room, steps.Destroy(1)); !errors.Is(err, steps.ErrFenceGone) {
		t.Errorf("while people signed: %v", err)
	}
	r.stands(1, store.Disabled)
	r.abort()
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	if plan := r.planOf(transcript.KindDestroy); strings.Contains(plan, "unfenced") {
		t.Errorf("plan %s", plan)
	}
	r.whole()
}

// TestDestroyNewTable: a table came after the fence was set, or a migration made one again. A writer that slept could
// write there with the version.
func TestDestroyNewTable(t *testing.T) {
	t.Parallel()
	r := disabled(t, testWait)
	with := func(s *engine.Parts) { s.Catalogue = s.Catalogue.With(envelope.At("late", "f")) }
	change(t, r.parts, `CREATE TABLE late (id INTEGER PRIMARY KEY, kek_version INTEGER, f_wrapped_dek BLOB, f_nonce BLOB,
		f_ciphertext BLOB, f_kek_version INTEGER, f_provider TEXT)`)
	fenceGone := func(err error, table string) {
		t.Helper()
		want := "collection " + table + " takes writes with version 1"
		if !errors.Is(err, steps.ErrFenceGone) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		r.untouched()
	}
	fenceGone(r.destroy(with), "late")
	again := envelope.DefaultCatalogue()[0].Collection
	change(t, r.parts, "DROP TABLE late", "CREATE TABLE moved AS SELECT * FROM "+again, "DROP TABLE "+again,
		"ALTER TABLE moved RENAME TO "+again)
	fenceGone(r.destroy(nil), again)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestDestroyUnfenced: where people wanted no fence, the plan of the destruction says so.
func TestDestroyUnfenced(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	r.unfenced = true
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	s := r.site()
	s.Policy.DestroyWait = testWait
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Disable(1)); err != nil {
		t.Fatal(err)
	}
	if err := r.destroy(nil); err != nil {
		t.Fatal(err)
	}
	plan := r.planOf(transcript.KindDestroy)
	if !strings.Contains(plan, " unfenced: the server takes writes with version 1") {
		t.Errorf("plan %s", plan)
	}
	r.whole()
}

// planOf is the text of the last plan in the last ceremony of a kind.
func (r running) planOf(kind string) string {
	r.t.Helper()
	all := bundles(r.t, r.parts, kind)
	plans, err := filepath.Glob(filepath.Join(all[len(all)-1], "*-plan.txt"))
	if err != nil || len(plans) == 0 {
		r.t.Fatal(plans, err)
	}
	text, err := os.ReadFile(plans[len(plans)-1])
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}
