package steps_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rehearsal"
	"github.com/certautopilot/kekceremony/internal/status"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

func nobody(parts rehearsal.Parts) *engine.Unattended {
	return &engine.Unattended{Signs: true, Report: func(string) {}, Answers: answers(parts)}
}

func answers(parts rehearsal.Parts) map[string]string {
	all := map[string]string{"roster": parts.Roster(), "provider": "env", "copies": "none", "verdicts": "none",
		"differed": "none"}
	for _, question := range []string{
		"place", "authorised", "people", "clock", "bags", "evidence", "bags_out", "clock_out", "planned_end", "cause",
		"hosts",
	} {
		all[question] = "n/a: a test"
	}
	return all
}

// consenting is a room whose people do as consent says.
type consenting struct {
	*engine.Unattended
	consent func(context.Context, engine.Request) (engine.Consent, error)
}

func (c consenting) Consent(ctx context.Context, r engine.Request) (engine.Consent, error) {
	return c.consent(ctx, r)
}

func install(ctx context.Context, s *engine.Parts, room engine.Room) error {
	return unlocked(func() error { return engine.Run(ctx, *s, room, steps.Install()) })
}

func bundles(t *testing.T, parts rehearsal.Parts, kind string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(parts.Bundles(), "[0-9]*-"+kind))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

var seeds = flag.Uint64("seeds", 10, "how many random courses TestAnyInterruptions takes")

// TestAnyInterruptions: people leave, the run is stopped, a step fails, in any
// order. Whatever is in the bundle, the verifier agrees with it, and in the end
// the ceremony is done.
func TestAnyInterruptions(t *testing.T) {
	t.Parallel()
	n := *seeds
	if testing.Short() {
		n = min(n, 5)
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			parts, err := makeParts(t)
			if err != nil {
				t.Fatal(err)
			}
			for run := 0; ; run++ {
				ctx, stop := context.WithCancel(t.Context())
				s := site(t, parts)
				room := consenting{Unattended: nobody(parts)}
				consents := random.IntN(8)
				how := random.IntN(3)
				room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
					if consents--; consents >= 0 || run > 12 {
						return room.Unattended.Consent(ctx, r)
					}
					switch how {
					case 0:
						stop()
						return engine.Consent{}, ctx.Err()
					case 1:
						return engine.Consent{}, errors.New("the line to the console broke")
					}
					return engine.Consent{}, engine.ErrLater
				}
				err := install(ctx, s, room)
				stop()
				dirs := bundles(t, parts, transcript.KindInstall)
				if len(dirs) != 1 {
					t.Fatalf("run %d: bundles %v, %v", run, dirs, err)
				}
				_, bad := transcript.Verify(dirs[0])
				if bad != nil && !errors.Is(bad, transcript.ErrIncomplete) {
					t.Fatalf("run %d ended with %v, and left a bundle that is bad: %v", run, err, bad)
				}
				if err == nil || errors.Is(err, steps.ErrInstalled) { // stopped when M had signed the end
					if bad != nil {
						t.Fatalf("run %d is done, the bundle is not: %v", run, bad)
					}
					return
				}
				if run > 14 {
					t.Fatalf("no end: %v", err)
				}
			}
		})
	}
}

// installed is a site whose install was run.
func installed(t *testing.T) (rehearsal.Parts, *engine.Parts) {
	t.Helper()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := install(t.Context(), site(t, parts), nobody(parts)); err != nil {
		t.Fatal(err)
	}
	return parts, site(t, parts)
}

// TestPlantedCeremony: who can write to the store puts an unfinished ceremony
// there: with a roster of his own in which one signature is enough, or with the
// true one and a first line that is not this ceremony's. No command takes it up
// (promise 1).
func TestPlantedCeremony(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(opened, roster transcript.Facts) (prev bool){
		"its own roster": func(_, roster transcript.Facts) bool {
			_, members, _ := strings.Cut(roster["roster"], "\n")
			roster["roster"] = "# quorum: 1\n" + members
			return true
		},
		"another chain": func(opened, _ transcript.Facts) bool {
			opened["chain"] = "ffeeddccbbaa99887766554433221100"
			return true
		},
		"another ceremony":  func(opened, _ transcript.Facts) bool { opened["ceremony"] = "1"; return true },
		"another beginning": func(transcript.Facts, transcript.Facts) bool { return false },
	} {
		t.Run(name, func(t *testing.T) {
			// A ceremony that is taken up waits for its fleet: that must end, too.
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			parts, s := installed(t)
			all, err := s.Store.Ceremonies(ctx)
			if err != nil {
				t.Fatal(err)
			}
			lock, err := s.Store.Lock(ctx)
			if err != nil {
				t.Fatal(err)
			}
			roster, err := os.ReadFile(parts.Roster())
			if err != nil {
				t.Fatal(err)
			}
			opened := transcript.Facts{"format": "kekceremony transcript v1", "chain": string(lock.Chain), "ceremony": "2",
				"kind": transcript.KindRotate, "mode": "rehearsal", "from": "1", "to": "2", "generate": "yes"}
			facts := transcript.Facts{"roster": string(roster)}
			prev := all[0].Final
			if !plant(opened, facts) {
				prev = transcript.NoDigest
			}
			facts["roster_sha256"] = transcript.Digest([]byte(facts["roster"]))
			const bundle = "2026-01-01T000000Z-0002-rotate"
			if err := s.Store.OpenCeremony(ctx, store.Ceremony{
				Seq:    2,
				Kind:   transcript.KindRotate,
				Mode:   "rehearsal",
				Bundle: bundle,
			}); err != nil {
				t.Fatal(err)
			}
			w, err := transcript.Create(filepath.Join(t.TempDir(), bundle), prev, planter{s.Store}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Append(ctx, transcript.Opened, "", opened); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Append(ctx, transcript.Roster, "roster", facts); err != nil {
				t.Fatal(err)
			}
			w.Close()
			err = engine.Run(ctx, *s, nobody(parts), steps.Rotate(steps.Rotation{To: 2}))
			if !errors.Is(err, history.ErrHistory) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// planter writes lines of ceremony 2 into a store.
type planter struct{ store.Store }

func (p planter) Append(ctx context.Context, name string, data []byte) error {
	return p.AppendEntry(ctx, store.Entry{Ceremony: 2, Name: name, Data: data})
}

func (p planter) Entries(context.Context) ([]transcript.Entry, error) { return nil, nil }

func rosterOf(t *testing.T, parts rehearsal.Parts) quorum.Roster {
	t.Helper()
	text, err := os.ReadFile(parts.Roster())
	if err != nil {
		t.Fatal(err)
	}
	r, err := quorum.ParseRoster(text, quorum.Rehearsal)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFinalsAreChecked: a final in the store that nobody signed is not counted
// for a person.
func TestFinalsAreChecked(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	room := consenting{Unattended: nobody(parts)}
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		if r.Purpose == quorum.Final && r.Have() == 1 {
			return engine.Consent{}, engine.ErrLater
		}
		return room.Unattended.Consent(ctx, r)
	}
	var waiting *engine.WaitingError
	if err := install(ctx, s, room); !errors.As(err, &waiting) {
		t.Fatal(err)
	}
	s = site(t, parts)
	looked := status.Site{Store: s.Store, Catalogue: s.Catalogue, Resume: steps.Resume}
	if st, err := status.Look(ctx, looked); err != nil || len(st.Due) != 1 {
		t.Fatalf("due %v, %v", st.Due, err)
	}
	core, err := os.ReadFile(filepath.Join(bundles(t, parts, transcript.KindInstall)[0], transcript.CoreFile))
	if err != nil {
		t.Fatal(err)
	}
	r := rosterOf(t, parts)
	last := r.Members[len(r.Members)-1]
	followed := transcript.Final{Verdict: transcript.Followed}
	for name, data := range map[string][]byte{
		transcript.FinalFile(last.Name):          transcript.FinalStatement(core, last, followed),
		transcript.FinalFile(last.Name) + ".sig": []byte("rubbish\n"),
	} {
		if err := s.Store.AppendEntry(ctx, store.Entry{Ceremony: 1, Name: name, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := status.Look(ctx, looked); err != nil || len(st.Due) != 1 ||
		!strings.Contains(st.Due[0].Why, history.ErrHistory.Error()) {
		t.Errorf("status: %v, %v", st.Due, err)
	}
	err = engine.Run(ctx, *s, nobody(parts), steps.Rotate(steps.Rotation{To: 2}))
	if !errors.Is(err, history.ErrHistory) {
		t.Errorf("the next ceremony: %v", err)
	}
}

// TestLookingOften: a run with nobody in the room that finds people still missing
// writes nothing, and says again which lines sign.
func TestLookingOften(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	room := nobody(parts)
	room.Signs = false
	var first, again *engine.WaitingError
	if err := install(t.Context(), site(t, parts), room); !errors.As(err, &first) {
		t.Fatal(err)
	}
	log := filepath.Join(bundles(t, parts, transcript.KindInstall)[0], "events.jsonl")
	before, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := install(t.Context(), site(t, parts), room); !errors.As(err, &again) || again.Error() != first.Error() ||
			!slices.Equal(again.Sign, first.Sign) {
			t.Errorf("%v, lines %v, want %v", err, again, first.Sign)
		}
	}
	if after, err := os.ReadFile(log); err != nil || string(after) != string(before) {
		t.Errorf("%d bytes were written, %v", len(after)-len(before), err)
	}
}

// TestDisagreed: everybody signs the end, and too few say that the script was
// followed. That is no good end.
func TestDisagreed(t *testing.T) {
	t.Parallel()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	room := consenting{Unattended: nobody(parts)}
	room.consent = func(ctx context.Context, r engine.Request) (engine.Consent, error) {
		c, err := room.Unattended.Consent(ctx, r)
		if r.Purpose == quorum.Final && c.Signer != "alice" {
			c.Word = string(transcript.Disagree)
		}
		return c, err
	}
	done := []string(nil)
	err = install(t.Context(), site(t, parts), seeing{room, func(v engine.View) {
		if v.Ending != nil {
			done = v.Ending.Summary
		}
	}})
	if !errors.Is(err, engine.ErrDisagreed) {
		t.Errorf("got %v", err)
	}
	if _, err := transcript.Verify(bundles(t, parts, transcript.KindInstall)[0]); !errors.Is(err, engine.ErrDisagreed) {
		t.Errorf("the verifier says %v", err)
	}
	page := strings.Join(done, "\n")
	if strings.Contains(page, "No deviations.") || !strings.Contains(page, "Only 1 of 2 agree") {
		t.Errorf("the last page says\n%s", page)
	}
	s := site(t, parts)
	st, err := status.Look(t.Context(), status.Site{Store: s.Store, Catalogue: s.Catalogue, Resume: steps.Resume})
	if err != nil || !slices.ContainsFunc(st.Due, func(d status.Due) bool {
		return strings.Contains(d.Why, transcript.DisagreedNext)
	}) {
		t.Errorf("status: %v, %v", st.Due, err)
	}
	if err := engine.Run(t.Context(), *s, nobody(parts), steps.Generate(2)); err != nil {
		t.Errorf("the next ceremony: %v", err)
	}
}

// seeing is consenting, where somebody sees each page.
type seeing struct {
	consenting
	see func(engine.View)
}

func (s seeing) Show(v engine.View) { s.see(v) }

// TestFirstLineNeverWritten: the store has an install's number, and the run ended before
// the first line. The same command continues, its chain is a chain, and the store can be
// used afterwards.
func TestFirstLineNeverWritten(t *testing.T) {
	ctx := t.Context()
	parts, err := makeParts(t)
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, parts)
	number := store.Ceremony{
		Seq:    1,
		Kind:   transcript.KindInstall,
		Mode:   "rehearsal",
		Bundle: "2026-01-01T000000Z-0001-install",
	}
	if err := s.Store.OpenCeremony(ctx, number); err != nil {
		t.Fatal(err)
	}
	if err := install(ctx, s, nobody(parts)); err != nil {
		t.Fatal(err)
	}
	lock, err := s.Store.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := transcript.Verify(filepath.Join(parts.Bundles(), number.Bundle))
	if err != nil || r.Opened()["chain"] != string(lock.Chain) {
		t.Errorf("chain %q in the bundle, %q in the lock: %v", r.Opened()["chain"], lock.Chain, err)
	}
	err = engine.Run(ctx, *site(t, parts), nobody(parts), steps.Generate(2))
	if err != nil {
		t.Errorf("the next ceremony: %v", err)
	}
}
