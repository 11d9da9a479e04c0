package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// TestModule: an application has a virtual table, as for a search in texts, of a module that this program lacks. What
// that keeps is found in its own tables, and all others are counted.
func TestModule(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.db")
	s, err := Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a := application{s}
	a.exec(t, `CREATE TABLE texts_content (id INTEGER PRIMARY KEY, c0)`)
	a.exec(t, `INSERT INTO texts_content VALUES (1, '{"wrapped_dek": "eA==", "kek_version": 1}')`)
	a.exec(t, `CREATE TABLE t (id PRIMARY KEY, kek_version, f_wrapped_dek, f_kek_version)`)
	a.exec(t, `INSERT INTO t VALUES (1, 1, x'01', 1)`)
	a.exec(t, `PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES
		('table', 'texts', 'texts', 0, 'CREATE VIRTUAL TABLE texts USING lacking(body)')`)
	s.Close()
	if s, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.held(t, "t.f", "texts_content.c0")
	counts, err := s.Census(t.Context(), envelope.Catalogue{envelope.At("t", "f")})
	if err != nil || len(counts) != 1 || counts[0].N != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if _, err := s.Census(t.Context(), envelope.Catalogue{envelope.At("texts", "f")}); !errors.Is(err, store.ErrPlace) {
		t.Errorf("a place in it: %v", err)
	}
	n := 0
	err = s.Scan(t.Context(), func(string, envelope.Tree) error { n++; return nil })
	if err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
}
