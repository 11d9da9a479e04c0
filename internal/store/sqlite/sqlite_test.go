package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Open: func(t *testing.T) (store.Store, storetest.Application) {
			s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s, application{s}
		},
		IDs: []any{int64(2), int64(10), 2.5, "b", "a", []byte{0}, []byte{1, 2}},
	})
}

// application writes with plain SQL. Something else than an envelope is a text
// beside an absent wrapped DEK.
type application struct{ s *Store }

func (a application) Create(t *testing.T, c envelope.Collection) {
	if err := a.s.CreateCollection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func (a application) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := a.s.db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func (a application) Put(t *testing.T, r storetest.Record) {
	t.Helper()
	a.exec(t, fmt.Sprintf(`INSERT OR REPLACE INTO %s (id, kek_version) VALUES (?, nullif(?, 0))`, r.Collection),
		r.ID, int(r.Version))
	for f, e := range r.Envelopes {
		a.exec(t, fmt.Sprintf(`UPDATE %[1]s SET %[2]s_wrapped_dek = ?, %[2]s_nonce = ?, %[2]s_ciphertext = ?, `+
			`%[2]s_kek_version = ?, %[2]s_provider = ? WHERE id = ?`, r.Collection, f),
			e.WrappedDEK, e.Nonce, e.Ciphertext, int(e.KEKVersion), e.Provider, r.ID)
	}
	for _, f := range r.Odd {
		a.exec(t, fmt.Sprintf(`UPDATE %s SET %s_ciphertext = 'odd' WHERE id = ?`, r.Collection, f), r.ID)
	}
}

func (a application) Spoil(t *testing.T, id any, field string, part storetest.Part, value any) {
	t.Helper()
	column := string(part)
	if field != "" {
		column = field + "_" + column
	}
	a.exec(t, fmt.Sprintf(`UPDATE things SET %s = ? WHERE id = ?`, column), value, id)
}

func (a application) Get(t *testing.T, collection string, id any, fields ...string) storetest.Record {
	t.Helper()
	r := storetest.Record{Collection: collection, ID: id, Envelopes: map[string]envelope.Envelope{}}
	for _, f := range fields {
		var e envelope.Envelope
		var version sql.NullInt64
		var provider sql.NullString
		err := a.s.db.QueryRow(fmt.Sprintf(`SELECT coalesce(kek_version, 0), %[2]s_wrapped_dek, %[2]s_nonce, `+
			`%[2]s_ciphertext, %[2]s_kek_version, %[2]s_provider FROM %[1]s WHERE id = ?`, collection, f), id).
			Scan(&r.Version, &e.WrappedDEK, &e.Nonce, &e.Ciphertext, &version, &provider)
		if err != nil {
			t.Fatal(err)
		}
		if e.WrappedDEK != nil {
			e.KEKVersion, e.Provider = kek.Version(version.Int64), provider.String
			r.Envelopes[f] = e
		} else if string(e.Ciphertext) == "odd" {
			r.Odd = append(r.Odd, f)
		}
	}
	return r
}

// TestTablesOfOthers: an application's own table may have ids that are NULL, or of
// a declared type that the driver would convert, and texts for wrapped DEKs.
func TestTablesOfOthers(t *testing.T) {
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	c := envelope.Collection{Name: "theirs", Fields: []string{"f", "g"}}
	a.exec(t, `CREATE TABLE theirs (id TIMESTAMP PRIMARY KEY, kek_version INTEGER, `+
		`f_wrapped_dek BLOB, f_kek_version INTEGER, g_wrapped_dek TEXT, g_kek_version INTEGER)`)
	a.exec(t, `INSERT INTO theirs VALUES (NULL, 1, 'w', 1, NULL, NULL), `+
		`(1700000000, 1, x'01', 1, 'text', 1), (1700000001, 1, x'02', 1, NULL, NULL)`)
	var after any
	taken := 0
	for range 5 {
		docs, err := s.Page(t.Context(), c, 2, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(docs) == 0 {
			break
		}
		took, err := s.Swap(t.Context(), c,
			[]store.Swap{{Old: docs[0], To: 2, New: []store.Held{{Field: "f", Version: 2, WrappedDEK: []byte{9}}}}})
		if err != nil || !took[0] {
			t.Errorf("%v: %v, %v", docs[0].ID, took, err)
		}
		after = docs[0].ID
		taken++
	}
	if taken != 2 {
		t.Errorf("%d records, want 2", taken)
	}
	counts, err := s.Census(t.Context(), envelope.Catalogue{{Collection: "theirs", Name: "f"}})
	if err != nil || len(counts) != 2 || counts[0].Version != 1 || counts[0].N != 1 {
		t.Errorf("the record without an id is not counted: %v, %v", counts, err)
	}
}

// TestRealVersions: an application's column has no type or is REAL, and its driver writes
// numbers as doubles. A version is one all the same, for census, page and swap.
func TestRealVersions(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "REAL"} {
		t.Run("type "+kind, func(t *testing.T) {
			t.Parallel()
			s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a, c := application{s}, envelope.Collection{Name: "things", Fields: []string{"f"}}
			a.exec(t, fmt.Sprintf(`CREATE TABLE things (id PRIMARY KEY, kek_version %[1]s, f_wrapped_dek, f_kek_version %[1]s)`,
				kind))
			a.exec(t, `INSERT INTO things VALUES ('old', 1.0, x'01', 1.0), ('new', 2.0, x'02', 2.0)`)
			field := envelope.Field{Collection: "things", Name: "f"}
			counts, err := s.Census(t.Context(), envelope.Catalogue{field})
			if want := []store.Count{{Field: field, Version: 1, N: 1}, {Field: field, Version: 2, N: 1}}; err != nil ||
				!slices.Equal(counts, want) {
				t.Errorf("counts %v, %v", counts, err)
			}
			for _, left := range []int{1, 0} { // what is swapped is in no page
				docs, err := s.Page(t.Context(), c, 2, nil, 10)
				if err != nil || len(docs) != left {
					t.Fatalf("documents %+v, %v", docs, err)
				}
				for _, d := range docs {
					took, err := s.Swap(t.Context(), c, []store.Swap{{Old: d, To: 2,
						New: []store.Held{{Field: "f", Version: 2, WrappedDEK: []byte("new")}}}})
					if err != nil || !slices.Equal(took, []bool{true}) {
						t.Errorf("took %v, %v", took, err)
					}
				}
			}
		})
	}
}
