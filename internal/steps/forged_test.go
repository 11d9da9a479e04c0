package steps_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/transcripttest"
)

// forger can write everything into a store, and has keys of the own.
type forger struct {
	t    *testing.T
	s    *engine.Parts
	keys []transcripttest.Person
}

func newForger(t *testing.T, s *engine.Parts) forger {
	return forger{t, s, []transcripttest.Person{transcripttest.Operator(t, "mallory"), transcripttest.Operator(t, "mike")}}
}

func (f forger) roster() string { return transcripttest.RosterOf(1, quorum.Rehearsal, f.keys...) }

// stored is the store's copy of ceremony 2, as anyone who can write there sees it.
type stored struct{ planter }

func (s stored) Entries(ctx context.Context) (all []transcript.Entry, err error) {
	entries, err := s.Store.Entries(ctx, 2)
	for _, e := range entries {
		all = append(all, transcript.Entry{Name: e.Name, Data: e.Data})
	}
	return all, err
}

// goOn writes lines after those that the store has of ceremony 2.
func (f forger) goOn(lines func(add func(transcript.Kind, string, transcript.Facts))) {
	f.t.Helper()
	w := transcripttest.TakeUp(f.t, stored{planter{f.s.Store}}, "")
	lines(func(kind transcript.Kind, step string, facts transcript.Facts) {
		if kind == transcript.Signed { // by mallory or mike, over what was asked last in the step
			asked, _ := transcripttest.Last(w.Events, func(e transcript.Event) bool {
				return e.Kind == transcript.Asked && e.Step == step
			})
			facts = f.sign(w.Events[0], asked, facts["signer"])
		}
		w.Add(kind, step, facts)
	})
}

func (f forger) sign(opened, asked transcript.Event, name string) transcript.Facts {
	req, err := transcript.RequestOf(opened, asked)
	if err != nil {
		f.t.Fatal(err)
	}
	r, err := quorum.ParseRoster([]byte(f.roster()), quorum.Rehearsal)
	if err != nil {
		f.t.Fatal(err)
	}
	m, _ := r.Member(name)
	p := f.keys[map[string]int{"mallory": 0, "mike": 1}[name]]
	text := req.Statement(m)
	return transcript.Facts{"signer": name, "key": m.Fingerprint(), "namespace": req.Namespace(), "file": req.File(name),
		"statement": string(text), "signature": string(p.Sign(f.t, req.Namespace(), text))}
}

// toNewRoster runs a roster ceremony in which a comment is added. At the approval
// nobody signs, unless signs says so.
func toNewRoster(t *testing.T, parts rehearsal.Parts, signs bool) error {
	t.Helper()
	roster, err := os.ReadFile(parts.Roster())
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(parts.Dir, "next")
	if err := os.WriteFile(next, append(roster, "# a comment\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	room := consenting{Unattended: nobody(parts)}
	room.Answers["next_roster"] = next
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if r.Purpose == quorum.Join {
			t.Error("a proof is asked for where no key is new")
		}
		if r.Purpose == quorum.Approve && !signs {
			return engine.Consent{}, engine.ErrLater
		}
		return room.Unattended.Consent(ctx, r)
	}
	return engine.Run(t.Context(), *site(t, parts), room, steps.ChangeRoster())
}

// TestForgedResume (S19): while a roster ceremony waits for its approval, somebody who
// may write to the store writes lines into it. The same command does not continue.
func TestForgedResume(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]func(f forger, add func(transcript.Kind, string, transcript.Facts)){
		"proofs of the new keys taken for the approval": func(f forger, add func(transcript.Kind, string, transcript.Facts)) {
			sum := transcript.Digest([]byte(f.roster()))
			plan := "kekceremony plan v1\nnext_roster_sha256: " + sum + "\n"
			add(transcript.NextRoster, "next-roster", transcript.Facts{"next_roster": f.roster(), "next_roster_sha256": sum})
			add(transcript.Plan, "approve",
				transcript.Facts{"plan": plan, "sha256": transcript.Digest([]byte(plan)), "acts": "change"})
			add(transcript.Asked, "approve", transcript.Facts{
				"purpose":            "roster",
				"next_roster_sha256": sum,
				"plan":               plan,
				"nonce.mallory":      "a",
				"nonce.mike":         "b",
			})
			add(transcript.Signed, "approve", transcript.Facts{"signer": "mallory"})
			add(transcript.Signed, "approve", transcript.Facts{"signer": "mike"})
			add(transcript.Begun, "change", nil)
			add(transcript.Done, "change", transcript.Facts{"changed": sum, "next_roster_sha256": sum})
			add(transcript.Waiting, "leaving", nil)
		},
		"an act that is done": func(f forger, add func(transcript.Kind, string, transcript.Facts)) {
			add(transcript.Done, "change", transcript.Facts{"changed": transcript.NoDigest})
			add(transcript.Waiting, "leaving", nil)
		},
		"facts in a line of another kind": func(f forger, add func(transcript.Kind, string, transcript.Facts)) {
			add(transcript.Found, "probe",
				transcript.Facts{"changed": transcript.Digest([]byte(f.roster())), "next_roster": f.roster()})
			add(transcript.Waiting, "approve", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			parts, s := installed(t)
			var waiting *engine.WaitingError
			if err := toNewRoster(t, parts, false); !errors.As(err, &waiting) {
				t.Fatal(err)
			}
			f := newForger(t, s)
			f.goOn(func(add func(transcript.Kind, string, transcript.Facts)) { lines(f, add) })
			if err := toNewRoster(t, parts, true); !errors.Is(err, history.ErrHistory) {
				t.Errorf("the same command continued: %v", err)
			}
		})
	}
}

// TestForgedHistory: a whole ceremony is written into the store that gives everything
// to mallory. No next ceremony begins on it.
func TestForgedHistory(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	parts, s := installed(t)
	f := newForger(t, s)
	all, err := s.Store.Ceremonies(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := s.Store.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const bundle = "2026-01-01T000000Z-0002-roster"
	if err := s.Store.OpenCeremony(ctx, store.Ceremony{
		Seq:    2,
		Kind:   transcript.KindRoster,
		Mode:   "rehearsal",
		Bundle: bundle,
	}); err != nil {
		t.Fatal(err)
	}
	w := transcripttest.TakeUp(t, stored{planter{s.Store}}, all[0].Final)
	sum := transcript.Digest([]byte(f.roster()))
	for _, line := range []struct {
		kind  transcript.Kind
		step  string
		facts transcript.Facts
	}{
		{transcript.Opened, "",
			transcript.Facts{"format": transcript.Format, "chain": string(lock.Chain), "ceremony": "2", "kind": "roster",
				"mode": "rehearsal"}},
		{transcript.Roster, "roster", transcript.Facts{"roster": f.roster(), "roster_sha256": lock.Roster}},
		{transcript.Done, "change", transcript.Facts{"changed": sum, "next_roster_sha256": sum}},
		{transcript.Closed, "", transcript.Facts{"outcome": "done"}},
	} {
		w.Add(line.kind, line.step, line.facts)
	}
	core := w.Core()
	r, err := quorum.ParseRoster([]byte(f.roster()), quorum.Rehearsal)
	if err != nil {
		t.Fatal(err)
	}
	final := transcript.FinalStatement(core, r.Members[0], transcript.Final{Verdict: transcript.Followed})
	for name, data := range map[string][]byte{
		"final.txt":             core,
		"final.mallory.txt":     final,
		"final.mallory.txt.sig": f.keys[0].Sign(t, "final-rehearsal-v1@kekceremony", final),
	} {
		if err := s.Store.AppendEntry(ctx, store.Entry{Ceremony: 2, Name: name, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Store.CloseCeremony(ctx, store.Ceremony{
		Seq:     2,
		Outcome: "done",
		Head:    w.Prev,
		Final:   transcript.Digest(core),
	}); err != nil {
		t.Fatal(err)
	}
	err = engine.Run(ctx, *site(t, parts), nobody(parts), steps.Generate(2))
	if keks, _ := s.Store.KEKs(ctx); !errors.Is(err, history.ErrHistory) || len(keks) != 1 {
		t.Errorf("got %v, and %d versions", err, len(keks))
	}
}

// change writes to the store behind everybody's back.
func change(t *testing.T, parts rehearsal.Parts, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", parts.Store())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRolledBack (C09): the store forgot a ceremony whose bundle is on this console, or
// is not the one that was founded as the configuration says.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	parts, s := installed(t)
	generate := func(s *engine.Parts) error {
		return engine.Run(t.Context(), *s, nobody(parts), steps.Generate(2))
	}
	pinned := site(t, parts)
	pinned.Founding = transcript.NoDigest
	if err := generate(pinned); !errors.Is(err, store.ErrLockDiffers) {
		t.Errorf("another founding: %v", err)
	}
	all, err := s.Store.Ceremonies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pinned = site(t, parts)
	pinned.Founding = all[0].Final
	if err := generate(pinned); err != nil {
		t.Fatal(err)
	}
	change(t, parts, "DELETE FROM kek_ceremonies WHERE id = 2", "DELETE FROM kek_events WHERE ceremony = 2",
		"DELETE FROM kek_versions WHERE id = 2")
	if err := generate(site(t, parts)); !errors.Is(err, transcript.ErrWentBack) ||
		!strings.Contains(err.Error(), "the store does not know its ceremony") {
		t.Errorf("got %v", err)
	}
}

// TestHalfFinals: a crash left a final's statement without its signature, or a final's
// file empty. The same command continues, and the chain is good in the end.
func TestHalfFinals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		signed int // finals before the interruption
		crash  func(t *testing.T, parts rehearsal.Parts, dir string)
	}{
		{"a statement without its signature", 2, func(t *testing.T, parts rehearsal.Parts, dir string) {
			core, err := os.ReadFile(filepath.Join(dir, transcript.CoreFile))
			if err != nil {
				t.Fatal(err)
			}
			r := rosterOf(t, parts)
			text := transcript.FinalStatement(core, r.Members[2], transcript.Final{Verdict: transcript.Followed})
			entry := store.Entry{Ceremony: 1, Name: "final.carol.txt", Data: text}
			if err := site(t, parts).Store.AppendEntry(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "final.carol.txt"), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"an empty final.txt", 0, func(t *testing.T, parts rehearsal.Parts, dir string) {
			change(t, parts, "DELETE FROM kek_events WHERE name = 'final.txt'")
			if err := os.Truncate(filepath.Join(dir, "final.txt"), 0); err != nil {
				t.Fatal(err)
			}
		}},
		{"an empty signature", 1, func(t *testing.T, parts rehearsal.Parts, dir string) {
			change(t, parts, "DELETE FROM kek_events WHERE name = 'final.alice.txt.sig'")
			if err := os.Truncate(filepath.Join(dir, "final.alice.txt.sig"), 0); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts, err := makeParts(t)
			if err != nil {
				t.Fatal(err)
			}
			room := consenting{Unattended: nobody(parts)}
			room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
				if r.Purpose == quorum.Final && r.Have() == c.signed {
					return engine.Consent{}, engine.ErrLater
				}
				return room.Unattended.Consent(ctx, r)
			}
			_ = install(t.Context(), site(t, parts), room)
			c.crash(t, parts, bundles(t, parts, transcript.KindInstall)[0])
			if err := install(t.Context(), site(t, parts), nobody(parts)); err != nil && !errors.Is(err, steps.ErrInstalled) {
				t.Fatal("the same command: ", err)
			}
			if err := engine.Run(t.Context(), *site(t, parts), nobody(parts), steps.Generate(2)); err != nil {
				t.Fatal("the next ceremony: ", err)
			}
			var reports []transcript.Report
			dirs := append(bundles(t, parts, transcript.KindInstall), bundles(t, parts, transcript.KindGenerate)...)
			for _, dir := range dirs {
				r, err := transcript.Verify(dir)
				if err != nil {
					t.Error(err)
				}
				reports = append(reports, r)
			}
			if err := transcript.VerifyChain(reports); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPlantedLines: while a version's making waits for its approval, somebody who may write
// to the store writes a line into it that moves its target or its chain, calls an act done,
// or ends it. The same command makes nothing, and nobody signs an end.
func TestPlantedLines(t *testing.T) {
	for name, plant := range map[string]func(*transcripttest.Pen){
		"another target": func(p *transcripttest.Pen) { p.Add(transcript.Found, "probe", transcript.Facts{"to": "3"}) },
		"another chain": func(p *transcripttest.Pen) {
			p.Add(transcript.Found, "probe", transcript.Facts{"chain": strings.Repeat("f", 32)})
		},
		"an end":        func(p *transcripttest.Pen) { p.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"}) },
		"a second line": func(p *transcripttest.Pen) { p.Add(transcript.Opened, "", p.Events[0].Facts) },
		"acts found, and an end": func(p *transcripttest.Pen) {
			p.Add(transcript.Found, transcript.ActGenerate, nil)
			p.Add(transcript.Found, transcript.ActCanary, nil)
			p.Add(transcript.Closed, "", transcript.Facts{"outcome": "done"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts, s := installed(t)
			room := consenting{Unattended: nobody(parts)}
			room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
				if r.Purpose == quorum.Approve {
					return engine.Consent{}, engine.ErrLater
				}
				return room.Unattended.Consent(ctx, r)
			}
			var waiting *engine.WaitingError
			if err := engine.Run(t.Context(), *s, room, steps.Generate(2)); !errors.As(err, &waiting) {
				t.Fatal(err)
			}
			plant(transcripttest.TakeUp(t, stored{planter{s.Store}}, ""))
			err := engine.Run(t.Context(), *site(t, parts), nobody(parts), steps.Generate(2))
			keks, _ := s.Store.KEKs(t.Context())
			if !errors.Is(err, history.ErrHistory) || len(keks) != 1 {
				t.Errorf("got %v, and %d versions", err, len(keks))
			}
			if all, _ := filepath.Glob(filepath.Join(parts.Bundles(), "*-generate", "final.*.sig")); len(all) > 0 {
				t.Errorf("signed: %v", all)
			}
		})
	}
}

// TestRehearsalTakenForProduction: a rehearsal's ceremony that the store calls one of
// production is not believed.
func TestRehearsalTakenForProduction(t *testing.T) {
	parts, s := installed(t)
	change(t, parts, `UPDATE kek_ceremonies SET mode = 'production'`)
	all, err := s.Store.Ceremonies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := history.Read(t.Context(), s.Store, all); !errors.Is(err, history.ErrHistory) {
		t.Errorf("got %v", err)
	}
}
