package steps_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/fleet"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// silenced is a store that takes no more heartbeats from a process once it crashed.
type silenced struct {
	store.Store
	now atomic.Bool
}

var errSilenced = errors.New("the process crashed")

func (s *silenced) Heartbeat(ctx context.Context, b store.Heartbeat) error {
	if s.now.Load() {
		return errSilenced
	}
	return s.Store.Heartbeat(ctx, b)
}

// running is an installed site with an application's records and one process of its fleet.
type running struct {
	t     *testing.T
	parts rehearsal.Parts
	chain kek.Chain

	unfenced bool // by the configuration: what is retired can be written
	binds    bool // what reports says that it can use bound versions
}

func newRunning(t *testing.T, records int) running {
	t.Helper()
	r := idle(t, records)
	r.report("app")
	return r
}

// idle is one without a process.
func idle(t *testing.T, records int) running {
	t.Helper()
	parts, s := installed(t)
	lock, err := s.Store.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := running{t: t, parts: parts, chain: lock.Chain}
	r.write(1, records)
	return r
}

// site is the parts of one run.
func (r running) site() *engine.Parts {
	s := site(r.t, r.parts)
	s.Fleet = engine.FleetConfig{Heartbeat: 50 * time.Millisecond, Live: 2 * time.Second, Unfenced: r.unfenced}
	return s
}

// write has an application write records, those that are not there yet, with a version.
func (r running) write(v kek.Version, records int) {
	r.t.Helper()
	if err := r.tryWrite(v, records); err != nil {
		r.t.Fatal(err)
	}
}

// tryWrite does, and returns what the store says.
func (r running) tryWrite(v kek.Version, records int) error {
	r.t.Helper()
	s := r.site()
	p, err := s.OpenProvider(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer p.Close()
	a := rehearsal.Application{Records: s.Store.(rehearsal.Records), Provider: p, Chain: r.chain, Active: v}
	return a.Write(r.t.Context(), records)
}

// writeLate does what write does where somebody took the fence away.
func (r running) writeLate(v kek.Version, records int) {
	r.t.Helper()
	unfence(r.t, r.parts)
	r.write(v, records)
}

// report has a process report to the end of the test, or until it is stopped; crash ends
// it without a word.
func (r running) report(role string) (crash func()) {
	r.t.Helper()
	s := r.site()
	p, err := s.OpenProvider(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	crashed := &silenced{Store: s.Store}
	ctx, stop := context.WithCancel(context.Background())
	agent := fleet.Member{
		Store: crashed, Provider: p, Chain: r.chain, Role: role, Every: s.Fleet.Heartbeat, Report: func(string) {},
		Binds: r.binds,
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, errSilenced) {
			r.t.Error(err)
		}
		p.Close()
	})
	return func() { crashed.now.Store(true) }
}

// rotate runs a rotation to version 2, or continues it; sign answers what people are asked.
func (r running) rotate(room engine.Room) error {
	r.t.Helper()
	return engine.Run(r.t.Context(), *r.site(), room, steps.Rotate(steps.Rotation{To: 2}))
}

// untilFinals is a room in which nobody signs the end.
func (r running) untilFinals() consenting {
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Final {
			return engine.Consent{}, engine.ErrLater
		}
		return room.Unattended.Consent(ctx, q)
	}
	return room
}

// nobodySigns is a room in which nobody may be asked to sign.
func (r running) nobodySigns() consenting {
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(_ context.Context, q engine.Request) (engine.Consent, error) {
		r.t.Errorf("people were asked to sign: %s", q.Purpose)
		return engine.Consent{}, engine.ErrLater
	}
	return room
}

func (r running) left() int {
	r.t.Helper()
	s := r.site()
	left, _, err := rewrap.Census(r.t.Context(), s.Store, s.Catalogue, 2, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return left
}

// TestStoreWentBack: a rotation came to its end and waits for signatures. Meanwhile the store
// is restored from a copy that was made in mid-rotation. The log on the disk says that all is
// done, and no record in the store is at the target: nobody is asked to sign that.
func TestStoreWentBack(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 30)
	older := filepath.Join(t.TempDir(), "copy.db")
	room := r.untilFinals()
	finals := room.consent
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		switches := func(e engine.Effect) bool { return e.Verb == "switch" }
		if q.Purpose == quorum.Approve && slices.ContainsFunc(q.Plan, switches) {
			if _, err := os.Stat(older); err != nil {
				change(t, r.parts, "VACUUM INTO '"+older+"'")
			}
		}
		return finals(ctx, q)
	}
	var waiting *engine.WaitingError
	if err := r.rotate(room); !errors.As(err, &waiting) || waiting.Step != "finals" {
		t.Fatal(err)
	}
	restore(t, r.parts, older)
	for range 2 {
		if err := r.rotate(r.nobodySigns()); !errors.Is(err, transcript.ErrWentBack) {
			t.Errorf("got %v", err)
		}
	}
	if entries, _ := (stored{planter{r.site().Store}}).Entries(t.Context()); len(entries) == 0 ||
		strings.Contains(string(entries[len(entries)-1].Data), `"kind":"closed"`) {
		t.Error("lines were written into the store that went back")
	}
}

// restore puts every table as it was into the store, but the heartbeats: processes go on.
func restore(t *testing.T, parts rehearsal.Parts, from string) {
	t.Helper()
	db, err := sql.Open("sqlite3", from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	unfence(t, parts)
	rows, err := db.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'process_heartbeats'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := "ATTACH '" + from + "' AS older; BEGIN IMMEDIATE;"
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintf("DELETE FROM main.%[1]s; INSERT INTO main.%[1]s SELECT * FROM older.%[1]s;", name)
	}
	change(t, parts, all+"COMMIT")
}

// TestRecordsWentBack: the logs are equal, and since the end a record is at the old version
// again. Acts are looked at again: without people nothing is signed, and people are told.
func TestRecordsWentBack(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 30)
	r.unfenced = true
	var waiting *engine.WaitingError
	if err := r.rotate(r.untilFinals()); !errors.As(err, &waiting) || waiting.Step != "finals" {
		t.Fatal(err)
	}
	r.write(1, 31)
	if r.left() != 1 {
		t.Fatalf("%d left", r.left())
	}
	alone := r.nobodySigns()
	alone.Signs = false
	if err := r.rotate(alone); !errors.Is(err, engine.ErrLeftSince) {
		t.Errorf("got %v", err)
	}
	room := &telling{Unattended: nobody(r.parts)}
	if err := r.rotate(room); err != nil {
		t.Fatal(err)
	}
	if !room.told {
		t.Error("people signed, and were not told")
	}
}

// telling is a room that remembers whether people were told of the time since the end.
type telling struct {
	*engine.Unattended
	told bool
}

func (r *telling) Consent(ctx context.Context, q engine.Request) (engine.Consent, error) {
	r.told = r.told || strings.Contains(q.Warning, engine.ErrLeftSince.Error())
	return r.Unattended.Consent(ctx, q)
}

// TestFinalGone: somebody who attended the last ceremony has no final in the store: nobody
// signed it, or somebody took it away. Those who attend the next one are told.
func TestFinalGone(t *testing.T) {
	t.Parallel()
	parts, s := installed(t)
	change(t, parts, "DELETE FROM kek_events WHERE name LIKE 'final.carol.%'")
	var told string
	room := consenting{Unattended: nobody(parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Attend {
			told = q.Warning
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := engine.Run(t.Context(), *s, room, steps.Generate(2)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(told, "carol attended the last ceremony, and the store has no final signature of theirs") {
		t.Errorf("told %q", told)
	}
}

// TestPointerWentBack: since the end the pointer to the active version is the old one again.
func TestPointerWentBack(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	var waiting *engine.WaitingError
	if err := r.rotate(r.untilFinals()); !errors.As(err, &waiting) || waiting.Step != "finals" {
		t.Fatal(err)
	}
	change(t, r.parts, "UPDATE kek_active SET version = 1")
	if err := r.rotate(r.nobodySigns()); !errors.Is(err, transcript.ErrWentBack) ||
		!strings.Contains(err.Error(), "step switch") {
		t.Errorf("got %v", err)
	}
}

// TestPlantedAbortLater: after people attended, somebody who may write to the store ends the
// rotation as aborted, with nothing done, when the writers were switched. That is not signed.
func TestPlantedAbortLater(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	s := r.site()
	s.Store = cutting{s.Store, `"kind":"begun","step":"re-wrap"`}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
		t.Fatal("the store was not gone")
	}
	// What this console wrote and the store did not take is out of the way.
	pen := transcripttest.TakeUp(t, stored{planter{r.site().Store}}, "")
	pen.Add(transcript.Closed, "", transcript.Facts{transcript.FactOutcome: transcript.OutcomeAborted,
		transcript.FactDone: "none", transcript.FactHalfDone: "none"})
	if err := r.rotate(r.nobodySigns()); !errors.Is(err, history.ErrHistory) {
		t.Errorf("got %v", err)
	}
}

// TestDeviationSignedElsewhere: a ceremony with a deviation that people decided on is closed, and
// its end is signed on a console that has no bundle of it yet.
func TestDeviationSignedElsewhere(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	change(t, r.parts, "UPDATE kek_active SET version = 1")
	room := r.untilFinals()
	room.Answers[engine.AnswerDeviation+"active_version"] = "the database was repaired by hand, see ticket 12"
	generate := func(room engine.Room) error {
		return engine.Run(t.Context(), *r.site(), room, steps.Generate(3))
	}
	var waiting *engine.WaitingError
	if err := generate(room); !errors.As(err, &waiting) || waiting.Step != "finals" {
		t.Fatal(err)
	}
	forget(t, r.parts, transcript.KindGenerate)
	var told string
	elsewhere := consenting{Unattended: room.Unattended}
	for later := range 2 { // those who sign in a later run are told as well
		told = ""
		elsewhere.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
			if told = q.Warning; later == 0 {
				return engine.Consent{}, engine.ErrLater
			}
			return elsewhere.Unattended.Consent(ctx, q)
		}
		if err := generate(elsewhere); err != nil && (later > 0 || !errors.As(err, &waiting)) {
			t.Error(err)
		}
		if !strings.Contains(told, "not written by this console") {
			t.Errorf("told %q", told)
		}
	}
	report, err := transcript.Verify(bundles(t, r.parts, transcript.KindGenerate)[0])
	if err != nil || len(report.Deviations) != 1 {
		t.Errorf("deviations %v, %v", report.Deviations, err)
	}
	if text, _ := transcripttest.Last(report.Events, func(e transcript.Event) bool {
		return e.Kind == transcript.Plan
	}); !strings.Contains(text.Facts[transcript.FactPlan], "deviation: active_version: was 2, is 1") {
		t.Errorf("the plan does not bind what people decided on:\n%s", text.Facts[transcript.FactPlan])
	}
}

// TestTokenAwayAtTheEnd: a key was made and the end is not signed when the token goes away. The
// end can be signed all the same, and people are told that nobody looked at the key again.
func TestTokenAwayAtTheEnd(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	var waiting *engine.WaitingError
	if err := r.rotate(r.untilFinals()); !errors.As(err, &waiting) || waiting.Step != "finals" {
		t.Fatal(err)
	}
	s := r.site()
	s.OpenProvider = func(context.Context, func(map[string]string) error) (provider.Provider, error) {
		return nil, provider.ErrNoToken
	}
	var told string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		told = q.Warning
		return room.Unattended.Consent(ctx, q)
	}
	if err := engine.Run(t.Context(), *s, room, steps.Rotate(steps.Rotation{To: 2})); err != nil {
		t.Error(err)
	}
	if !strings.Contains(told, "nobody looked at the key again: no such token") {
		t.Errorf("told %q", told)
	}
}

// TestFinalsLost: a ceremony is signed, and the store loses the finals. The console that has
// them gives them back; it throws away nobody's signature.
func TestFinalsLost(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		all, err := filepath.Glob(filepath.Join(bundles(t, r.parts, transcript.KindRotate)[0], "final.*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := count()
	change(t, r.parts, "DELETE FROM kek_events WHERE ceremony = 2 AND name LIKE 'final.%'")
	room := r.nobodySigns()
	unsigned := room.consent
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Have() == len(q.Signers) {
			return engine.Consent{}, engine.ErrEnough
		}
		return unsigned(ctx, q)
	}
	if err := r.rotate(room); err != nil {
		t.Error(err)
	}
	if after := count(); after != before {
		t.Errorf("%d files of finals, and were %d", after, before)
	}
	closed, err := r.site().Store.Ceremonies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := history.Read(t.Context(), r.site().Store, closed); err != nil {
		t.Error(err)
	}
}

// TestAbortOverUndone: the writers were switched, and the pointer is the old one again when
// people abort. They are told before they sign that the switch was done.
func TestAbortOverUndone(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	s := r.site()
	s.Store = cutting{s.Store, `"kind":"begun","step":"re-wrap"`}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
		t.Fatal("the store was not gone")
	}
	change(t, r.parts, "UPDATE kek_active SET version = 1")
	var told string
	room := consenting{Unattended: nobody(r.parts)}
	for later := range 2 { // those who sign in a later run are told as well
		told = ""
		room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
			if q.Purpose == quorum.Final {
				if told = q.Warning; later == 0 {
					return engine.Consent{}, engine.ErrLater
				}
			}
			return room.Unattended.Consent(ctx, q)
		}
		var waiting *engine.WaitingError
		err := engine.Abort(t.Context(), *r.site(), room, steps.All())
		if err != nil && (later > 0 || !errors.As(err, &waiting)) {
			t.Fatal(err)
		}
		if !strings.Contains(told, "switch was done, and it is not in effect") {
			t.Errorf("told %q", told)
		}
	}
}
