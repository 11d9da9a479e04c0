package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// TestSilentRows: somebody who may write heartbeats writes 30,000 of processes that ended
// without a word, some with a name of 100 kB. The ceremony comes to its end, the transcript is
// small, and has the digest of the whole list, which lies beside the bundle. The next gate need
// not read them.
func TestSilentRows(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	change(t, r.parts, `INSERT INTO process_heartbeats
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
		SELECT 'host/app/' || i || CASE WHEN i < 20 THEN hex(zeroblob(50000)) ELSE '' END, '2020-01-01T00:00:00.000Z',
			json_object('Process', 'host/app/' || i || CASE WHEN i < 20 THEN hex(zeroblob(50000)) ELSE '' END, 'Role', 'app')
		FROM n`)
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	dir := bundles(t, r.parts, transcript.KindRotate)[0]
	report, err := transcript.Verify(dir)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil || len(log) > 200_000 {
		t.Errorf("the log has %d bytes, %v", len(log), err)
	}
	beside, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".silent.*"))
	if err != nil || len(beside) != 1 {
		t.Fatal(beside, err)
	}
	list, err := os.ReadFile(beside[0])
	if err != nil || strings.Count(string(list), "\n") != 30000 {
		t.Fatalf("%d names beside the bundle, %v", strings.Count(string(list), "\n"), err)
	}
	silent := report.Facts[transcript.FactSilent]
	if !strings.HasSuffix(silent, "and 29990 more, sha256 of the list "+transcript.Digest(list)) {
		t.Errorf("silent: %s", silent)
	}
	plans, err := filepath.Glob(filepath.Join(dir, "*-plan.txt"))
	if err != nil || len(plans) != 2 {
		t.Fatal(plans, err)
	}
	if plan, err := os.ReadFile(plans[1]); err != nil || !strings.Contains(string(plan), silent) {
		t.Errorf("the plan does not name those that are accepted as gone: %v\n%.500s", err, plan)
	}
	if forgotten := report.Facts["forgotten"]; !strings.HasPrefix(forgotten, "30000 heartbeats not seen since ") {
		t.Errorf("forgotten: %s", forgotten)
	}
	all, err := r.site().Store.Heartbeats(t.Context(), time.Time{})
	if err != nil || len(all) != 1 {
		t.Errorf("%d heartbeats left, %v", len(all), err)
	}
}

// TestFellSilent: a process that was live at the gate ends without a word before the census.
// The ceremony does not close over it: people start it again, or give a reason, which the
// transcript keeps.
func TestFellSilent(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	crash := r.report("worker")
	room := &crashing{Unattended: nobody(r.parts), crash: crash}
	err := r.rotate(room)
	var deviation *engine.DeviationError
	if !errors.Is(err, steps.ErrFellSilent) || !errors.As(err, &deviation) ||
		!strings.Contains(deviation.Seen, "/worker/") {
		t.Fatalf("got %v", err)
	}
	if !room.crashed {
		t.Fatal("the process did not crash after the gate")
	}
	room.Answers[engine.AnswerDeviation+"fell_silent"] = "the host lost its power; bob went to look"
	// The next run verifies the fleet again, and people approve again what is gone by then.
	if err := r.rotate(room); err != nil {
		t.Fatal(err)
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindRotate)[0])
	if err != nil || !strings.Contains(report.Facts[transcript.FactSilent], "/worker/") {
		t.Errorf("silent %s, %v", report.Facts[transcript.FactSilent], err)
	}
}

// TestFellSilentDecided: with the reason among the answers, the same run goes on.
func TestFellSilentDecided(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	room := &crashing{Unattended: nobody(r.parts), crash: r.report("worker")}
	room.Answers[engine.AnswerDeviation+"fell_silent"] = "the host lost its power; bob went to look"
	if err := r.rotate(room); err != nil {
		t.Fatal(err)
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindRotate)[0])
	if err != nil || len(report.Deviations) != 1 {
		t.Fatalf("deviations %v, %v", report.Deviations, err)
	}
	facts := report.Deviations[0].Facts
	if !strings.Contains(facts[transcript.FactSeen], "/worker/") || facts[transcript.FactBy] != "those who sign the end" {
		t.Errorf("deviation %v", facts)
	}
}

// crashing is a room at whose last approval a process crashes.
type crashing struct {
	*engine.Unattended
	crash   func()
	crashed bool
}

func (r *crashing) Consent(ctx context.Context, q engine.Request) (engine.Consent, error) {
	switches := func(e engine.Effect) bool { return e.Verb == "switch" }
	if q.Purpose == quorum.Approve && len(q.Plan) > 0 && switches(q.Plan[0]) && !r.crashed {
		r.crash()
		r.crashed = true
	}
	return r.Unattended.Consent(ctx, q)
}
