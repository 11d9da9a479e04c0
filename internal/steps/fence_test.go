package steps_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// unfence takes the fence away, as somebody does who migrates tables.
func unfence(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	unfenceIn(t, parts, "%")
}

// unfenceIn takes that of the tables away whose names are like one.
func unfenceIn(t *testing.T, parts rehearsal.Parts, table string) {
	t.Helper()
	db, err := sql.Open("sqlite3", parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT 'DROP TRIGGER \"' || name || '\"' FROM sqlite_schema WHERE type = 'trigger' "+
		"AND tbl_name LIKE ?", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var drop string
		if err := rows.Scan(&drop); err != nil {
			t.Fatal(err)
		}
		all = append(all, drop)
	}
	change(t, parts, all...)
}

// refuses demands which versions the store refuses, in every collection.
func (r running) refuses(want ...kek.Version) {
	r.t.Helper()
	s := r.site()
	all, err := s.Store.Fenced(r.t.Context(), s.Catalogue)
	another := func(c store.Fenced) bool { return !slices.Equal(c.Refused, want) }
	if err != nil || len(all) == 0 || slices.ContainsFunc(all, another) {
		r.t.Errorf("the store refuses %v, want %v; %v", all, want, err)
	}
}

// due is what a status says about the fence.
func (r running) due() string {
	r.t.Helper()
	s := r.site()
	st, err := status.Look(r.t.Context(), status.Site{Store: s.Store, Catalogue: s.Catalogue, Live: s.Fleet.Live,
		Resume: steps.Resume})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range st.Due {
		if strings.HasPrefix(d.Why, "fence_") {
			return d.Why + ": " + d.Command
		}
	}
	return ""
}

// plan is the text that people approved in the last rotation.
func (r running) plan() string {
	r.t.Helper()
	all := bundles(r.t, r.parts, transcript.KindRotate)
	report, err := transcript.Verify(all[len(all)-1])
	if err != nil {
		r.t.Fatal(err)
	}
	e, _ := transcripttest.Last(report.Events, func(e transcript.Event) bool { return e.Kind == transcript.Plan })
	return e.Facts[transcript.FactPlan]
}

// TestFence: after a rotation the store refuses a writer that still has the old version. Somebody
// takes the fence away: the status says so, and a rotation to the active version sets it again. A
// rotation back lets the old version in, and its plan says so.
func TestFence(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 6)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	fence := " fence: every version but 2: the server refuses to write with it; undo: rotate back\n"
	if plan := r.plan(); !strings.Contains(plan, fence) ||
		strings.Contains(plan, " lift: ") {
		t.Errorf("plan %s", plan)
	}
	if err := r.tryWrite(1, 7); err == nil || !strings.Contains(err.Error(), "no writes with version 1 in table ") {
		t.Errorf("a writer of version 1: %v", err)
	}
	r.write(2, 7)
	r.refuses(1)
	if due := r.due(); due != "" {
		t.Errorf("due: %s", due)
	}

	unfence(t, r.parts)
	r.refuses()
	if due := r.due(); !strings.HasSuffix(due, " was 1, is nothing: kekceremony rotate --to-version 2") {
		t.Errorf("due: %s", due)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.refuses(1)
	if err := r.to(2, nobody(r.parts)); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("again: %v", err)
	}

	if err := r.to(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	lift := " lift: the server's fence for version 1, if there is one; undo: rotate again\n"
	if plan := r.plan(); !strings.Contains(plan, lift) {
		t.Errorf("plan %s", plan)
	}
	r.refuses(2)
	r.write(1, 8)
	r.whole()
}

// TestFenceGone: the fence is taken away before people sign the end, which says that it is there.
// Nobody is asked to sign that.
func TestFenceGone(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	var waiting *engine.WaitingError
	if err := r.rotate(r.untilFinals()); !errors.As(err, &waiting) || waiting.Step != "finals" {
		t.Fatal(err)
	}
	unfence(t, r.parts)
	if err := r.rotate(r.nobodySigns()); !errors.Is(err, transcript.ErrWentBack) ||
		!strings.Contains(err.Error(), "step fence") {
		t.Errorf("got %v", err)
	}
}

// TestFenceInterrupted: the run ends before and after each line from the end of the re-wrap to the end
// of the retirement, and the fence is taken away in between. In the end it is there.
func TestFenceInterrupted(t *testing.T) {
	t.Parallel()
	for _, at := range []string{
		`"kind":"done","step":"re-wrap"`, `"kind":"begun","step":"fence"`, `"kind":"done","step":"fence"`,
		`"kind":"found","step":"census"`, `"kind":"begun","step":"retire"`, `"kind":"done","step":"retire"`,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, 3)
			s := r.site()
			s.Store = cutting{s.Store, at}
			if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
				t.Fatal("the store was not gone")
			}
			if err := r.rotate(nobody(r.parts)); err != nil {
				t.Fatal(err)
			}
			r.refuses(1)
			r.whole()
		})
	}
}

// TestUnfenced: people want no fence. The plan says so and lifts the one that is there; then a late
// writer is refused by nobody, and the count finds what it wrote.
func TestUnfenced(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.refuses(1)
	r.unfenced = true
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if plan := r.plan(); !strings.Contains(plan, " unfenced: the configuration has fleet.unfenced; "+
		"a fence that is there is lifted; undo: rotate again, with a fence\n") {
		t.Errorf("plan %s", plan)
	}
	r.refuses()
	if due := r.due(); due != "" {
		t.Errorf("due: %s", due)
	}
	r.write(1, 4)
	if err := r.to(3, nobody(r.parts)); err != nil {
		t.Errorf("what was written late: %v", err)
	}
	r.whole()
}

// noFence is a store whose server sets no fence any more.
type noFence struct{ store.Store }

func (n noFence) Fence(ctx context.Context, c envelope.Catalogue, refused []kek.Version) error {
	if len(refused) > 0 {
		return store.ErrNoFence
	}
	return n.Store.Fence(ctx, c, refused)
}

// TestFenceStuck: the server could set a fence when the rotation was opened, and cannot once every DEK is re-wrapped.
// The rotation cannot be completed; it is aborted, and one without a fence ends it.
func TestFenceStuck(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	s := r.site()
	s.Store = noFence{s.Store}
	err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2}))
	if !errors.Is(err, store.ErrNoFence) {
		t.Fatal(err)
	}
	r.abort()
	r.unfenced = true
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestUnfencedStays: a rotation without a fence to the active version signs that a fence which is there is lifted. The
// pointer is there already, and the fence is lifted all the same. What refuses versions afterwards, and no ceremony
// wanted, is due.
func TestUnfencedStays(t *testing.T) {
	t.Parallel()
	r := rotated(t, 6)
	unfenceIn(t, r.parts, "dns_credentials")
	r.unfenced = true
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.refuses()
	if due := r.due(); due != "" {
		t.Errorf("due: %s", due)
	}
	s := r.site()
	if err := s.Store.Fence(t.Context(), s.Catalogue, []kek.Version{1}); err != nil {
		t.Fatal(err)
	}
	if due := r.due(); !strings.HasSuffix(due, " was nothing, is 1: kekceremony rotate --to-version 2") {
		t.Errorf("due: %s", due)
	}
	if err := r.to(2, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.refuses()
}

// TestFenceLeavesActive: a disable refuses what is not live. The active version may be no better, since it is
// compromised, or since somebody edited its row: it is not refused, as the plan says.
func TestFenceLeavesActive(t *testing.T) {
	t.Parallel()
	r := rotated(t, 6)
	room := r.atApproval(func() { change(t, r.parts, "UPDATE kek_versions SET state = 'retired' WHERE id = 2") })
	_ = r.disable(1, room) // whether this goes on is not asked here
	r.refuses(1)
	r = rotated(t, 6)
	if err := r.compromise(2); err != nil {
		t.Fatal(err)
	}
	if err := r.disable(1, nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.refuses(1)
	if plan := r.planOf(transcript.KindDisable); !strings.Contains(plan, " fence: every version but the active one, and "+
		"those that are live: the server refuses to write with it") {
		t.Errorf("plan %s", plan)
	}
}

// TestFenceNotThere: a collection of the catalogue is not there yet, so that nothing is refused in it. Who signs the
// end reads that; once it is there, status says what is due.
func TestFenceNotThere(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 6)
	change(t, r.parts, "DROP TABLE dns_credentials")
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindRotate)[0])
	if err != nil || report.Facts["not_there"] != "dns_credentials" {
		t.Errorf("not there: %q, %v", report.Facts["not_there"], err)
	}
	change(t, r.parts, "CREATE TABLE dns_credentials (id PRIMARY KEY, kek_version, encrypted_api_key_wrapped_dek, "+
		"encrypted_api_key_kek_version)")
	if due := r.due(); !strings.HasPrefix(due, "fence_dns_credentials was 1, is nothing: ") {
		t.Errorf("due: %s", due)
	}
}
