package sqlite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
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
