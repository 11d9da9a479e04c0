package main_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/seedtest"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/sqlite"
)

// sql changes the database beside every program, as anyone can who writes to it.
func (s seed) sql(statements string) {
	s.Helper()
	raw, err := sql.Open("sqlite3", strings.TrimPrefix(s.uri, "sqlite:"))
	if err == nil {
		_, err = raw.Exec(statements)
		raw.Close()
	}
	if err != nil {
		s.Fatal(err)
	}
}

// tables makes our own tables, so that triggers can be put on them.
func (s seed) tables() {
	s.Helper()
	db, err := sqlite.Open(s.Context(), strings.TrimPrefix(s.uri, "sqlite:"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	db.Under("kekceremony_")
	if _, err := db.ReserveWraps(s.Context(), 1, 1); err != nil {
		s.Fatal(err)
	}
}

// TestAdoptEndsHalfDone: an adoption that ends between its rows is continued, also when no envelope
// is at a version any more whose row it has made.
func TestAdoptEndsHalfDone(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.tables()
	s.sql(`CREATE TRIGGER stop BEFORE INSERT ON kekceremony_versions WHEN NEW.id = 2
		BEGIN SELECT RAISE(ABORT, 'stopped'); END`)
	s.refused(1, "stopped", "adopt")
	s.sql("DROP TRIGGER stop")
	for i := range s.n {
		seedtest.Write(t, s.db, s.keys(), i, 2)
	}
	s.must("adopt")
	s.agent()
	s.must("rotate", "--to-version", "3")
	s.allAt(3)
	s.verified()
}

// TestAdoptTheirPointerMoves: a pointer that moves after the survey, or that is another one when the
// adoption is continued, is not recorded.
func TestAdoptTheirPointerMoves(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.tables()
	s.sql(`CREATE TRIGGER move AFTER INSERT ON kekceremony_events WHEN instr(CAST(NEW.data AS TEXT), '"kind":"plan"')
		BEGIN UPDATE kek_versions SET in_use = 1 WHERE id = 'active'; END`)
	s.refused(3, "the application's pointer was moved by no ceremony", "adopt")
	s.sql("DROP TRIGGER move")
	s.db.Put(t, pointed, "another", map[string]any{"in_use": int64(1)})
	s.edit("config.yaml", "id: active", "id: another")
	s.refused(3, "the configuration describes another pointer than the chain began with", "adopt")
	s.edit("config.yaml", "id: another", "id: active")
	s.must("adopt")
	s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(2)})
}

// TestAbortedBetweenPointers: a rotation that moved our pointer and not the application's can be
// aborted, and the next one moves both.
func TestAbortedBetweenPointers(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"3", "2"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			s := newSeed(t, 16, seeds[0].open)
			s.must("adopt")
			s.agent()
			s.sql(`CREATE TRIGGER stop BEFORE UPDATE ON kek_versions BEGIN SELECT RAISE(ABORT, 'stopped'); END`)
			s.refused(1, "stopped", "rotate", "--to-version", "3")
			s.sql("DROP TRIGGER stop")
			described := "\n  pointer: {collection: kek_versions, filter: {id: active}, field: in_use}"
			s.edit("config.yaml", described, " {}")
			s.refused(3, "nobody described", "rotate", "--to-version", "3")
			s.edit("config.yaml", "adopted: {}", "adopted:"+described)
			s.db.Put(t, pointed, "another", map[string]any{"in_use": int64(2)})
			s.edit("config.yaml", "id: active", "id: another")
			s.refused(3, "the configuration describes another pointer", "rotate", "--to-version", "3")
			if got := s.db.Get(t, pointed, "another")["in_use"]; got != int64(2) {
				t.Errorf("another record was written: %v", got)
			}
			s.edit("config.yaml", "id: another", "id: active")
			s.must("abort", "--ui", "none")
			s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(1)})
			s.refused(3, "the application's pointer was moved by no ceremony", "rotate", "--to-version", to)
			s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(2)})
			s.must("rotate", "--to-version", to)
			if v := s.pointer(); to != string(rune('0'+v)) {
				t.Errorf("the application's pointer is %d", v)
			}
			s.verified()
		})
	}
}

// TestAdoptTwice: a console that has another prefix adopts no database that has a chain already, and
// none that an adoption is held on.
func TestAdoptTwice(t *testing.T) {
	t.Parallel()
	for _, c := range seeds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSeed(t, 16, c.open)
			s.must("adopt")
			if err := os.Mkdir(s.path("tr2"), 0o700); err != nil {
				t.Fatal(err)
			}
			s.edit("config.yaml", s.path("tr"), s.path("tr2"))
			s.edit("config.yaml", "adopted:\n", "adopted:\n  records: another_\n")
			s.refused(3, "this database has a lock of ours under", "adopt")
		})
	}
}

// TestAdoptSampleOfVersions: a sample has envelopes of every version.
func TestAdoptSampleOfVersions(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	first, _, _ := strings.Cut(s.read("secrets.env"), "\n")
	s.write("secrets.env", first+"\n")
	s.addKey(2) // another one than that of the envelopes
	s.edit("adopt.yaml", "ceremony: adopt\n", "ceremony: adopt\ndeviation.sample: one of each place, ticket 12\n")
	s.refused(3, "envelopes that no key opens", "adopt", "--sample", "1")
}

func (s seed) read(name string) string {
	s.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.Fatal(err)
	}
	return string(data)
}

// TestWrittenBefore: a version that the application wrote with before any ceremony made it is not made
// with another key.
func TestWrittenBefore(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.must("adopt")
	keys := s.keys()
	keys[3] = []byte(strings.Repeat("k", 32)) // on the application's hosts, not here
	seedtest.Write(t, s.db, keys, 6, 3)
	s.agent()
	s.refused(3, "1 envelopes in users.mfa.totp.seed are at version 3: no ceremony made it", "rotate", "--to-version", "3")
	if strings.Contains(s.read("secrets.env"), "_V3=") {
		t.Error("another key of version 3 was made")
	}
}

// TestAdoptOwnPointer: what is of our own is no pointer of an application.
func TestAdoptOwnPointer(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.edit("config.yaml", "collection: kek_versions", "collection: kekceremony_active")
	s.refused(2, `collection "kekceremony_active": it is one of our own records`, "adopt")
}

// TestReconcileOtherRecords: an adopted chain is not written again under other names, where the
// configuration has lost or changed its section.
func TestReconcileOtherRecords(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.must("adopt")
	s.write("reconcile.yaml", "ceremony: reconcile\ncause: nobody knows\n"+record)
	whole := s.read("config.yaml")
	for _, section := range []string{"#", "adopted:\n  records: another_\n  pointer:"} {
		s.write("config.yaml", whole)
		s.edit("config.yaml", "adopted:\n  pointer:", section)
		s.refused(3, "the chain began with other names of its records", "reconcile")
	}
	s.write("config.yaml", whole)
	s.refused(0, "", "reconcile")
	s.edit("config.yaml", "collection: kek_versions", "collection: nowhere")
	if out := s.must("status"); !strings.Contains(out, "read pointer nowhere.in_use") {
		t.Errorf("%s", out)
	}
}

// TestAdoptUnused: a key of a version that the pointer alone names is signed as one that nothing
// tested.
func TestAdoptUnused(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.addKey(5)
	s.db.Put(t, pointed, "active", map[string]any{"in_use": int64(5)})
	s.must("adopt")
	plans, _ := filepath.Glob(s.path("tr/*-adopt/*-plan.txt"))
	plan, err := os.ReadFile(strings.Join(plans, ""))
	if err != nil || !strings.Contains(string(plan), "\nuntested key: of version 5: no envelope is at it\n") {
		t.Errorf("%v\n%s", err, plan)
	}
	s.agent()
	s.must("rotate", "--to-version", "6") // version 3 and 4 never were
	s.allAt(6)
	s.verified()
}

// TestAdoptOccupied: our records are never put beside those of an application.
func TestAdoptOccupied(t *testing.T) {
	t.Parallel()
	for _, c := range seeds {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSeed(t, 16, c.open)
			s.db.Put(t, "app_events", "1", map[string]any{"what": "somebody logged in"})
			s.edit("config.yaml", "adopted:\n", "adopted:\n  records: app_\n")
			s.refused(3, "app_events has records: it is not empty, and would be ours", "adopt")
		})
	}
}

// TestAdoptPlanted: a pointer of ours that no ceremony made is refused, before anything.
func TestAdoptPlanted(t *testing.T) {
	t.Parallel()
	s := newSeed(t, 16, seeds[0].open)
	s.tables()
	db, err := sqlite.Open(t.Context(), strings.TrimPrefix(s.uri, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.Under("kekceremony_")
	if err := db.MoveActive(t.Context(), store.Active{}, store.Active{Version: 1, Epoch: 7}); err != nil {
		t.Fatal(err)
	}
	s.refused(3, "this store is not empty", "adopt")
	if logs, _ := filepath.Glob(s.path("tr/*")); len(logs) > 0 {
		t.Errorf("a ceremony was begun: %v", logs)
	}
}
