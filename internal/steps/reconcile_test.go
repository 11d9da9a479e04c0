package steps_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/audit"
	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// copied makes a copy of the store, as a backup does.
func (r running) copied() string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "copy.db")
	change(r.t, r.parts, "VACUUM INTO '"+path+"'")
	return path
}

// generate makes a version.
func (r running) generate(v kek.Version) {
	r.t.Helper()
	if err := engine.Run(r.t.Context(), *r.site(), nobody(r.parts), steps.Generate(v)); err != nil {
		r.t.Fatal(err)
	}
}

// lose takes everything of ours out of the store but heartbeats.
func lose(t *testing.T, parts rehearsal.Parts) {
	t.Helper()
	change(t, parts, "DELETE FROM kek_install; DELETE FROM kek_versions; DELETE FROM kek_active; "+
		"DELETE FROM kek_ceremonies; DELETE FROM kek_events")
}

// reconcile runs what comes next over the store and its bundles.
func (r running) reconcile(room engine.Room) error {
	r.t.Helper()
	parts, c, err := steps.Restored(r.t.Context(), *r.site())
	if err != nil {
		return err
	}
	return engine.Run(r.t.Context(), parts, room, c)
}

// whole verifies the bundles as a chain, and compares the store with them.
func (r running) whole() []transcript.Report {
	r.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(r.parts.Bundles(), "[0-9]*"))
	if err != nil {
		r.t.Fatal(err)
	}
	var reports []transcript.Report
	for _, dir := range dirs {
		report, err := transcript.Verify(dir)
		if err != nil {
			r.t.Fatal(dir, err)
		}
		reports = append(reports, report)
	}
	if err := transcript.VerifyChain(reports); err != nil {
		r.t.Error(err)
	}
	if err := audit.Store(r.t.Context(), r.site().Store, reports, true); err != nil {
		r.t.Error(err)
	}
	return reports
}

// TestReconcile: the store is restored from a copy made before a rotation, whose bundles this
// console has. The next ceremony is refused; M sign what is taken over, and the rotation that
// is due then goes through its gate.
func TestReconcile(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	restore(t, r.parts, older)
	if err := r.rotate(r.nobodySigns()); !errors.Is(err, transcript.ErrWentBack) {
		t.Errorf("a rotation over it: %v", err)
	}
	var plan string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve {
			for _, e := range q.Plan {
				plan += e.Verb + " " + e.Object + "\n"
			}
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.reconcile(room); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rebuild version 2 of key kek-", "take over ceremonies 2 rotate (all ",
		"record the versions as they are: 1 active, 2 live"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q:\n%s", want, plan)
		}
	}
	reports := r.whole()
	if facts := reports[2].Facts; facts["due"] != "0" || facts["was_active"] != "2" || facts["active"] != "1" {
		t.Errorf("it counted %v", facts)
	}
	if err := r.reconcile(r.nobodySigns()); !errors.Is(err, engine.ErrNothingDue) {
		t.Errorf("once more: %v", err)
	}
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if r.left() != 0 {
		t.Errorf("%d left", r.left())
	}
	r.whole()
}

// TestReconcileEmpty: the store lost everything but its records, lock and pointer as well.
func TestReconcileEmpty(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	lose(t, r.parts)
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileUnfinished: the store is restored while a rotation is unfinished: lines that it
// accepted are gone. The rotation is aborted over the bundle's lines, and then taken over.
func TestReconcileUnfinished(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	s := r.site()
	s.Store = cutting{s.Store, `"kind":"begun","step":"re-wrap"`}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
		t.Fatal("the store was not gone")
	}
	restore(t, r.parts, older)
	if err := r.reconcile(nobody(r.parts)); !errors.Is(err, engine.ErrUndone) {
		t.Errorf("over an unfinished one: %v", err)
	}
	var told string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Final {
			told = q.Warning
		}
		return room.Unattended.Consent(ctx, q)
	}
	over, _, err := steps.Restored(t.Context(), *r.site())
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Abort(t.Context(), over, room, steps.All()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told, "switch was done, and it is not in effect") {
		t.Errorf("told %q", told)
	}
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileFork: people went on with the restored store, or somebody edited what it has.
// Neither history is a beginning of the other: nothing is taken over.
func TestReconcileFork(t *testing.T) {
	t.Parallel()
	for name, fork := range map[string]func(r running){
		"another second ceremony": func(r running) {
			change(r.t, r.parts, "INSERT INTO kek_ceremonies "+
				"VALUES (2, 'rotate', 'rehearsal', '2026-01-01T000000Z-0002-rotate', '', '', '')")
		},
		"an edited line": func(r running) {
			change(r.t, r.parts, "UPDATE kek_events SET data = CAST(replace(data, 'tool', 'Tool') AS BLOB) "+
				"WHERE ceremony = 1 AND name = '000000'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t, 3)
			older := r.copied()
			if err := r.rotate(nobody(r.parts)); err != nil {
				t.Fatal(err)
			}
			restore(t, r.parts, older)
			fork(r)
			if err := r.reconcile(r.nobodySigns()); !errors.Is(err, history.ErrFork) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestReconcileKeyHalfMade: the store is restored while a key is being made. The ceremony goes on
// where its bundle is, and the key that was made is the chain's.
func TestReconcileKeyHalfMade(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	s := r.site()
	s.Store = cutting{s.Store, `"kind":"begun","step":"canary"`}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Generate(2)); err == nil {
		t.Fatal("the store was not gone")
	}
	restore(t, r.parts, older)
	err := engine.Run(t.Context(), *r.site(), nobody(r.parts), steps.Generate(2))
	if !errors.Is(err, transcript.ErrWentBack) {
		t.Errorf("got %v", err)
	}
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileUnsignedEnd: a rotation is closed, its end is not signed, and the store is restored.
// Those who sign the end are told what is not in effect; then the rest is taken over.
func TestReconcileUnsignedEnd(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	var waiting *engine.WaitingError
	if err := r.rotate(r.untilFinals()); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	restore(t, r.parts, older)
	var told string
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		told = q.Warning
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.reconcile(room); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told, "switch was done, and it is not in effect") {
		t.Errorf("told %q", told)
	}
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileTwice: the store is restored from one copy, reconciled, and then restored from
// another, which has the lost row as it was first.
func TestReconcileTwice(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	before := r.copied()
	r.generate(2)
	after := r.copied()
	for _, older := range []string{before, after, before} {
		restore(t, r.parts, older)
		if err := r.reconcile(nobody(r.parts)); err != nil {
			t.Fatal(err)
		}
		r.whole()
	}
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileLostSince: after the reconciliation was opened the store loses more than people are
// shown. Nothing is made that they did not approve.
func TestReconcileLostSince(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	r.generate(2)
	r.generate(3)
	change(t, r.parts, "DELETE FROM kek_versions WHERE id = 3")
	room := consenting{Unattended: nobody(r.parts)}
	room.consent = func(ctx context.Context, q engine.Request) (engine.Consent, error) {
		if q.Purpose == quorum.Approve && q.Have() >= q.Need {
			change(t, r.parts, "DELETE FROM kek_versions WHERE id = 2")
		}
		return room.Unattended.Consent(ctx, q)
	}
	if err := r.reconcile(room); !errors.Is(err, engine.ErrPlanMoved) { // version 2 was in the plan
		t.Errorf("got %v", err)
	}
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	if keks, err := r.site().Store.KEKs(t.Context()); err != nil || len(keks) != 2 || keks[1].Version != 3 {
		t.Errorf("%v, %v", keks, err)
	}
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileNoKey: the key of a lost row is not there any more. That is said before anybody
// approves, and the ceremony can be aborted.
func TestReconcileNoKey(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	r.generate(2)
	change(t, r.parts, "DELETE FROM kek_versions WHERE id = 2")
	path := filepath.Join(r.parts.Dir, "secrets.env")
	text, err := os.ReadFile(path)
	if err == nil {
		lines := strings.SplitAfter(string(text), "\n")
		err = os.WriteFile(path, []byte(lines[0]), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := r.reconcile(nobody(r.parts)); !errors.Is(err, steps.ErrLostKey) {
		t.Errorf("got %v", err)
	}
	if err := engine.Abort(t.Context(), *r.site(), nobody(r.parts), steps.All()); err != nil {
		t.Error(err)
	}
}

// TestReconcilePartly: of a copy only the pointer came back, and it is older than the rows that
// are lost. The version that writers use is made again as live.
func TestReconcilePartly(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	change(t, r.parts, "DELETE FROM kek_versions", "UPDATE kek_active SET version = 1, epoch = 1")
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestAbortUnheardEnd: an abort dies while its end goes into the store. The next one does not take
// the store for one that went back.
func TestAbortUnheardEnd(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"kekceremony final v1", "BEGIN SSH SIGNATURE"} {
		r := newRunning(t, 3)
		s := r.site()
		s.Store = cutting{s.Store, `"kind":"begun","step":"re-wrap"`}
		if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Rotate(steps.Rotation{To: 2})); err == nil {
			t.Fatal("the store was not gone")
		}
		s = r.site()
		s.Store = cuttingFinals{s.Store, at}
		if err := engine.Abort(t.Context(), *s, nobody(r.parts), steps.All()); err == nil {
			t.Fatal("the store was not gone")
		}
		over, _, err := steps.Restored(t.Context(), *r.site())
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Abort(t.Context(), over, nobody(r.parts), steps.All()); err != nil {
			t.Fatal(err)
		}
		r.whole()
	}
}

// cuttingFinals is a store that is gone when a final is to be written.
type cuttingFinals struct {
	store.Store
	at string
}

func (c cuttingFinals) AppendEntry(ctx context.Context, e store.Entry) error {
	if strings.HasPrefix(e.Name, "final") && strings.Contains(string(e.Data), c.at) {
		return errors.New("the store is gone")
	}
	return c.Store.AppendEntry(ctx, e)
}

// TestReconcileForged: a ceremony waits for signatures. Somebody writes that it did everything, and
// its end, into the store, or on the disk and in what it remembers. Nobody is asked to sign that:
// the key was never made.
func TestReconcileForged(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"in the store", "on the disk", "on the disk, as looked at, and the token is away"} {
		onDisk, away := how != "in the store", strings.HasSuffix(how, "away")
		r := newRunning(t, 3)
		s := r.site()
		s.Store = cutting{s.Store, `"kind":"begun","step":"generate"`}
		if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Generate(2)); err == nil {
			t.Fatal("the store was not gone")
		}
		from := r.copied()
		pen := transcripttest.TakeUp(t, stored{planter{r.site().Store}}, "")
		sum := strings.Repeat("0", 64)
		pen.Add(transcript.Begun, "generate", nil)
		pen.Add(transcript.Done, "generate", transcript.Facts{transcript.FactLabel: "kek"})
		pen.Add(transcript.Begun, "canary", nil)
		pen.Add(transcript.Done, "canary", transcript.Facts{transcript.FactCanary(2): sum})
		pen.Add(transcript.Closed, "", transcript.Facts{transcript.FactOutcome: transcript.OutcomeDone})
		if onDisk {
			entries, err := (stored{planter{r.site().Store}}).Entries(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var log, heads []byte
			for _, e := range entries {
				log, heads = append(log, e.Data...), append(heads, transcript.Digest(e.Data)+"\n"...)
			}
			dir := bundles(t, r.parts, transcript.KindGenerate)[0]
			err = errors.Join(os.WriteFile(filepath.Join(dir, "events.jsonl"), log, 0o600),
				os.WriteFile(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".answered"), heads, 0o600))
			if away {
				err = errors.Join(err, os.WriteFile(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".copied"),
					[]byte("looked at\n"), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			restore(t, r.parts, from)
		}
		parts, c, err := steps.Restored(t.Context(), *r.site())
		if err != nil {
			t.Fatal(err)
		}
		if away {
			parts.OpenProvider = func(context.Context, func(map[string]string) error) (provider.Provider, error) {
				return nil, provider.ErrNoToken
			}
		}
		if err := engine.Run(t.Context(), parts, r.nobodySigns(), c); err == nil {
			t.Errorf("%s: it ended well", how)
		}
	}
}

// TestReconcileThirdFinal: the store is restored from a copy that lacks the third final of a
// ceremony which two ended.
func TestReconcileThirdFinal(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	change(t, r.parts, "DELETE FROM kek_events WHERE ceremony = 2 AND name LIKE 'final.carol%'")
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileFirstLine: the number is taken and the first line on the disk when the store dies;
// the copy that it is restored from knows neither.
func TestReconcileFirstLine(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	s := r.site()
	s.Store = cutting{s.Store, `"kind":"opened"`}
	if err := engine.Run(t.Context(), *s, nobody(r.parts), steps.Generate(2)); err == nil {
		t.Fatal("the store was not gone")
	}
	restore(t, r.parts, older)
	if err := r.reconcile(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	r.whole()
}

// TestReconcileRebuildBegun: a rebuild is begun, and the store is restored again from a copy that
// lacks more. It makes what was approved; the next one makes the rest.
func TestReconcileRebuildBegun(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	r.generate(2)
	r.generate(3)
	change(t, r.parts, "DELETE FROM kek_versions WHERE id = 3")
	s := r.site()
	s.Store = noVersions{s.Store}
	parts, c, err := steps.Restored(t.Context(), *s)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Run(t.Context(), parts, nobody(r.parts), c); err == nil {
		t.Fatal("the store was not gone")
	}
	change(t, r.parts, "DELETE FROM kek_versions WHERE id > 1")
	for range 2 {
		if err := r.reconcile(nobody(r.parts)); err != nil {
			t.Fatal(err)
		}
	}
	r.whole()
}

// noVersions is a store that is gone when a version is to be entered.
type noVersions struct{ store.Store }

func (noVersions) InsertKEK(context.Context, store.KEK) error { return errors.New("the store is gone") }

// TestReconcileBadBundle: a file of a finished bundle is torn. It is named.
func TestReconcileBadBundle(t *testing.T) {
	t.Parallel()
	r := newRunning(t, 3)
	older := r.copied()
	if err := r.rotate(nobody(r.parts)); err != nil {
		t.Fatal(err)
	}
	restore(t, r.parts, older)
	path := filepath.Join(bundles(t, r.parts, transcript.KindRotate)[0], "final.carol.txt")
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if err := r.reconcile(r.nobodySigns()); err == nil || !strings.Contains(err.Error(), "final.carol.txt") {
		t.Errorf("got %v", err)
	}
}
