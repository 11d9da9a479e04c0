package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/storetest"
)

func fenced(t *testing.T, s *Store, cat envelope.Catalogue) []kek.Version {
	t.Helper()
	all, err := s.Fenced(t.Context(), cat)
	if err != nil || len(all) != 1 {
		t.Fatalf("fenced %v, %v", all, err)
	}
	return all[0].Refused
}

// TestFenceTampered: somebody puts a trigger of the same name that refuses nothing, or drops one of
// two. Neither is taken for the fence, and setting it again repairs it. An application's own triggers
// are left alone, also one with a name like ours.
func TestFenceTampered(t *testing.T) {
	cat := envelope.Catalogue{envelope.At("things", "f"), envelope.At("things", "g")}
	for _, prefix := range []string{"", "ours_"} {
		s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		s.Under(prefix)
		a := application{s}
		a.Create(t, cat.Collections()[0])
		a.exec(t, `CREATE TRIGGER "kek_fence_theirs" AFTER INSERT ON things BEGIN SELECT 1; END`)
		set := func() {
			t.Helper()
			if err := s.Fence(t.Context(), cat, []kek.Version{1}); err != nil {
				t.Fatal(err)
			}
			if got := fenced(t, s, cat); !slices.Equal(got, []kek.Version{1}) {
				t.Errorf("fenced %v", got)
			}
		}
		names := func() (all []string) {
			have, err := s.ourTriggers(t.Context(), s.db.DB)
			if err != nil {
				t.Fatal(err)
			}
			for name := range have {
				all = append(all, name)
			}
			return slices.Sorted(slices.Values(all))
		}
		set()
		if n := len(names()); n != 4 {
			t.Errorf("%d triggers", n)
		}
		for _, name := range names() {
			if prefix != "" && !strings.HasPrefix(name, "ours_fence_") {
				t.Errorf("trigger %s", name)
			}
			a.exec(t, "DROP TRIGGER "+quote(name))
			if got := fenced(t, s, cat); len(got) > 0 {
				t.Errorf("without %s: %v", name, got)
			}
			event := "INSERT"
			if strings.Contains(name, "update") {
				event = "UPDATE"
			}
			a.exec(t, "CREATE TRIGGER "+quote(name)+" AFTER "+event+" ON things BEGIN SELECT '"+fenceMark+" WHEN 1 THEN '; END")
			if got := fenced(t, s, cat); len(got) > 0 {
				t.Errorf("with another %s: %v", name, got)
			}
			set()
		}
		if err := s.Fence(t.Context(), cat, nil); err != nil || len(names()) > 0 {
			t.Errorf("lifted: %v, %v", names(), err)
		}
		var theirs int
		row := s.db.DB.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'`)
		if err := row.Scan(&theirs); err != nil || theirs != 1 {
			t.Errorf("%d triggers of the application, %v", theirs, err)
		}
	}
}

// TestFenceSealedAgain: an update that keeps the version, and brings another wrapped DEK, brings an
// envelope. So does one whose text differs in case alone, in a column for which that is the same.
func TestFenceSealedAgain(t *testing.T) {
	p := envelope.At("notes", "key")
	p.Bytes, p.Outer = envelope.Hex, ""
	cat := envelope.Catalogue{p}
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	a.exec(t, `CREATE TABLE notes (id PRIMARY KEY, n, key_wrapped_dek TEXT COLLATE NOCASE, key_kek_version)`)
	a.exec(t, `INSERT INTO notes VALUES (1, 0, 'ab', 1)`)
	if err := s.Fence(t.Context(), cat, []kek.Version{1}); err != nil {
		t.Fatal(err)
	}
	a.exec(t, `UPDATE notes SET n = 1, key_wrapped_dek = 'ab'`)
	for _, statement := range []string{
		`UPDATE notes SET key_wrapped_dek = 'AB'`,
		`UPDATE notes SET key_wrapped_dek = 'cd'`,
		`INSERT OR REPLACE INTO notes VALUES (1, 0, 'cd', 1)`,
		`INSERT OR IGNORE INTO notes VALUES (2, 0, 'cd', 1.0)`,
		`UPDATE OR IGNORE notes SET key_wrapped_dek = 'cd'`,
	} {
		_, err := s.db.DB.Exec(statement)
		storetest.Refused(t, statement, err, "version 1 in table notes")
	}
}

// TestFenceBetween: a version that may be written stands between two that are refused, and in a record before one of
// them. It hides nothing.
func TestFenceBetween(t *testing.T) {
	t.Parallel()
	p := shapedAs("notes", "all[].s")
	s, a := made(t, `CREATE TABLE notes (id PRIMARY KEY, "all")`)
	if err := s.Fence(t.Context(), envelope.Catalogue{p}, []kek.Version{1, 3}); err != nil {
		t.Fatal(err)
	}
	const one = `{"s": {"wrapped_dek": "eA==", "kek_version": %d}}`
	record := fmt.Sprintf(`INSERT INTO notes VALUES (1, '[`+one+`, `+one+`]')`, 2, 3)
	_, err := s.db.DB.Exec(record)
	storetest.Refused(t, record, err, "version 3 in table notes")
	a.exec(t, fmt.Sprintf(`INSERT INTO notes VALUES (2, '[`+one+`]')`, 2))
}

// TestFenceUnreadVersion: a writer that slept spells its version as text, or says none. No census would take that for
// a refused version, so it is refused like one. A record that had it before can be written, and one without a wrapped
// DEK too.
func TestFenceUnreadVersion(t *testing.T) {
	inJSON := envelope.At("notes", "doc.s")
	inJSON.Bytes, inJSON.Outer = envelope.Hex, ""
	apart := envelope.At("notes", "key")
	apart.Outer = ""
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	a.exec(t, `CREATE TABLE notes (id PRIMARY KEY, n, doc, key_wrapped_dek, key_kek_version)`)
	a.exec(t, `INSERT INTO notes VALUES (1, 0, NULL, x'ab', '1')`)
	if err := s.Fence(t.Context(), envelope.Catalogue{apart, inJSON}, []kek.Version{1}); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []string{
		`INSERT INTO notes VALUES (2, 0, NULL, x'ab', '1')`,
		`INSERT INTO notes VALUES (2, 0, NULL, x'ab', NULL)`,
		`INSERT INTO notes VALUES (2, 0, NULL, x'ab', 1.5)`,
		`INSERT INTO notes VALUES (2, 0, '{"s": {"wrapped_dek": "ab", "kek_version": "1"}}', NULL, NULL)`,
		`INSERT INTO notes VALUES (2, 0, '{"s": {"wrapped_dek": "ab", "kek_version": [1]}}', NULL, NULL)`,
		`INSERT INTO notes VALUES (2, 0, CAST('{"s": {"wrapped_dek": "ab"}}' AS BLOB), NULL, NULL)`,
		`UPDATE notes SET key_wrapped_dek = x'cd'`,
		`UPDATE notes SET key_kek_version = '2'`,
		`INSERT OR REPLACE INTO notes SELECT * FROM notes`, // the row as it is: docs/mongodb.md says so
	} {
		_, err := s.db.DB.Exec(refused)
		storetest.Refused(t, refused, err, "a version that is no number in table notes")
	}
	a.exec(t, `UPDATE notes SET n = 1`)
	a.exec(t, `INSERT INTO notes VALUES (2, 0, '{"s": {"wrapped_dek": null, "kek_version": null}}', NULL, 'none')`)
	a.exec(t, `UPDATE notes SET key_kek_version = 2`)
	if _, err := s.db.DB.Exec(`ALTER TABLE notes DROP COLUMN key_kek_version`); err == nil {
		t.Error("a column was dropped that a trigger names; docs/mongodb.md says otherwise")
	}
}

// TestCanFence: what a table cannot take is known before a rotation begins, and not once the writers were switched.
// Places whose names differ in case alone have a fence each. Nothing is changed.
func TestCanFence(t *testing.T) {
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	a.exec(t, `CREATE TABLE notes (id PRIMARY KEY, doc)`)
	a.exec(t, `CREATE TABLE lacks (id PRIMARY KEY, key_wrapped_dek)`)
	a.exec(t, `CREATE VIRTUAL TABLE search USING fts3 (id, key_wrapped_dek, key_kek_version)`)
	place := func(collection, path string, bytes envelope.Encoding) envelope.Place {
		p := envelope.At(collection, path)
		p.Bytes, p.Outer = bytes, ""
		return p
	}
	lower, upper := place("notes", "doc.key", envelope.Hex), place("notes", "doc.Key", envelope.Hex)
	both := envelope.Catalogue{lower, upper}
	if err := s.CanFence(t.Context(), both); err != nil {
		t.Errorf("names that differ in case: %v", err)
	}
	for p, says := range map[envelope.Place]string{
		place("search", "key", envelope.Binary): "virtual", place("lacks", "key", envelope.Binary): "NEW.key_kek_version",
	} {
		err := s.CanFence(t.Context(), append(both, p))
		if !errors.Is(err, store.ErrNoFence) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", p, err)
		}
		if err := s.Fence(t.Context(), append(both, p), []kek.Version{1}); err == nil {
			t.Errorf("%s: a fence was set", p)
		}
	}
	if have, err := s.ourTriggers(t.Context(), s.db.DB); err != nil || len(have) > 0 {
		t.Errorf("triggers %v, %v", have, err)
	}
	if err := s.Fence(t.Context(), both, []kek.Version{1}); err != nil {
		t.Fatal(err)
	}
	if got := fenced(t, s, both); !slices.Equal(got, []kek.Version{1}) {
		t.Errorf("fenced %v", got)
	}
	for _, name := range []string{"key", "Key"} {
		write := `INSERT INTO notes VALUES (1, '{"` + name + `": {"wrapped_dek": "ab", "kek_version": 1}}')`
		_, err := s.db.DB.Exec(write)
		storetest.Refused(t, write, err, "version 1 in table notes")
	}
	for _, text := range s.triggers(located{Place: lower, json: "doc"}, []kek.Version{1}) {
		if strings.Contains(text, "iif(") { // an application's SQLite may be older than 3.32
			t.Errorf("trigger %s", text)
		}
	}
}
