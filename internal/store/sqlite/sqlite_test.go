package sqlite

import (
	"bytes"
	"database/sql"
	"encoding/json"
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
		IDs:    []any{int64(2), int64(10), 2.5, "b", "a", []byte{0}, []byte{1, 2}},
		Nested: []envelope.Encoding{envelope.Base64, envelope.Hex},
		ID:     "id",
		Refusal: func(v kek.Version, table string) []string {
			return []string{fmt.Sprintf("no writes with version %d in table %s", v, table)}
		},
	})
}

// TestUnder: a database that has tables of the plain names keeps them, and gets ours under others
// when the first is written: not before.
func TestUnder(t *testing.T) {
	theirs := func(t *testing.T) (*Store, []string) {
		path := filepath.Join(t.TempDir(), "s.db")
		s, err := Create(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		a := application{s}
		for _, table := range ownTables {
			a.exec(t, "DROP TABLE "+table)
		}
		a.exec(t, "CREATE TABLE kek_install (provider)")
		a.exec(t, "CREATE TABLE kek_versions (id, in_use)")
		a.exec(t, "INSERT INTO kek_versions VALUES (1, 1)")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s, tables(t, s)
	}
	s, before := theirs(t)
	if err := s.OpenCeremony(t.Context(), store.Ceremony{Seq: 1}); !errors.Is(err, store.ErrLock) {
		t.Errorf("under the plain names: %v", err)
	}
	s.Under("kekceremony_")
	if _, err := s.Lock(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("lock: %v", err)
	}
	keks, err := s.KEKs(t.Context())
	if err != nil || len(keks) > 0 {
		t.Errorf("versions %v, %v", keks, err)
	}
	if after := tables(t, s); !slices.Equal(after, before) {
		t.Errorf("after a look there are %v", after)
	}
	if err := s.OpenCeremony(t.Context(), store.Ceremony{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	after := tables(t, s)
	if !slices.Contains(after, "kekceremony_ceremonies") || len(after) != len(before)+len(ownTables) {
		t.Errorf("after a write there are %v", after)
	}
	storetest.RunOwn(t, storetest.Backend{Open: func(t *testing.T) (store.Store, storetest.Application) {
		s, _ := theirs(t)
		s.Under("kekceremony_")
		return s, application{s}
	}})
}

func tables(t *testing.T, s *Store) []string {
	t.Helper()
	all, err := s.columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, err := collect(t.Context(), s.db, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) },
		`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
	if err != nil || len(names) < len(all) {
		t.Fatal(names, err)
	}
	return names
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

func (a application) PutTree(t *testing.T, collection, id string, record map[string]any) {
	t.Helper()
	a.exec(t, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (id TEXT PRIMARY KEY)`, collection))
	have, err := a.s.columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name := range record {
		if !slices.Contains(have[collection], name) {
			a.exec(t, fmt.Sprintf(`ALTER TABLE %s ADD COLUMN %s`, collection, name))
		}
	}
	if err := a.TryTree(t, collection, id, record); err != nil {
		t.Fatal(err)
	}
}

func (a application) TryTree(t *testing.T, collection, id string, record map[string]any) error {
	t.Helper()
	values := map[string]any{}
	for name, value := range record {
		switch value.(type) {
		case map[string]any, []any:
			text, err := json.MarshalIndent(value, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			value = string(text)
			if id == "2" { // some applications store bytes
				value = text
			}
		}
		values[name] = value
	}
	return a.upsert(t, collection, id, values)
}

func (a application) Try(t *testing.T, r storetest.Record) error {
	t.Helper()
	values := map[string]any{"kek_version": int(r.Version)}
	for f, e := range r.Envelopes {
		values[f+"_wrapped_dek"], values[f+"_nonce"], values[f+"_ciphertext"] = e.WrappedDEK, e.Nonce, e.Ciphertext
		values[f+"_kek_version"], values[f+"_provider"] = int(e.KEKVersion), e.Provider
	}
	return a.upsert(t, r.Collection, r.ID, values)
}

// upsert writes a whole record in one statement; what it has no value of becomes NULL.
func (a application) upsert(t *testing.T, collection string, id any, values map[string]any) error {
	t.Helper()
	have, err := a.s.columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, args, set := []string{"id"}, []any{id}, "id = id"
	for _, name := range have[collection] {
		if name != "id" {
			names, args = append(names, name), append(args, values[name])
			set += fmt.Sprintf(", %s = excluded.%[1]s", name)
		}
	}
	_, err = a.s.db.Exec(fmt.Sprintf(`INSERT INTO %s (%s) VALUES (?%s) ON CONFLICT (id) DO UPDATE SET %s`, collection,
		strings.Join(names, ", "), strings.Repeat(", ?", len(names)-1), set), args...)
	return err
}

func (a application) GetTree(t *testing.T, collection, id string) map[string]any {
	t.Helper()
	columns, err := a.s.columns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	record := map[string]any{}
	for _, name := range columns[collection] {
		var value any
		if err := a.s.db.QueryRow(fmt.Sprintf(`SELECT +%s FROM %s WHERE id = ?`, name, collection), id).
			Scan(&value); err != nil {
			t.Fatal(err)
		}
		if text, ok := as(true, value).([]byte); ok {
			if v, err := parse(text); err == nil && (v.object || v.array) {
				value = plain(v)
			}
		}
		if value != nil && name != "id" {
			record[name] = value
		}
	}
	return record
}

// plain is a tree as maps and slices.
func plain(v envelope.Tree) any {
	if elements, ok := v.Elements(); ok {
		all := make([]any, len(elements))
		for i, e := range elements {
			all[i] = plain(e)
		}
		return all
	}
	fields, ok := v.Fields()
	if !ok {
		return v.Value()
	}
	all := map[string]any{}
	for name, value := range fields {
		all[name] = plain(value)
	}
	return all
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
	c := envelope.Catalogue{envelope.At("theirs", "f"), envelope.At("theirs", "g")}.Collections()[0]
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
			[]store.Swap{{Old: docs[0], To: 2, New: []store.Held{{Path: "f", Version: 2, WrappedDEK: []byte{9}}}}})
		if err != nil || !took[0] {
			t.Errorf("%v: %v, %v", docs[0].ID, took, err)
		}
		after = docs[0].ID
		taken++
	}
	if taken != 2 {
		t.Errorf("%d records, want 2", taken)
	}
	counts, err := s.Census(t.Context(), envelope.Catalogue{envelope.At("theirs", "f")})
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
			field := envelope.At("things", "f")
			a, c := application{s}, envelope.Catalogue{field}.Collections()[0]
			a.exec(t, fmt.Sprintf(`CREATE TABLE things (id PRIMARY KEY, kek_version %[1]s, f_wrapped_dek, f_kek_version %[1]s)`,
				kind))
			a.exec(t, `INSERT INTO things VALUES ('old', 1.0, x'01', 1.0), ('new', 2.0, x'02', 2.0)`)
			counts, err := s.Census(t.Context(), envelope.Catalogue{field})
			if want := []store.Count{{Place: field, Version: 1, N: 1}, {Place: field, Version: 2, N: 1}}; err != nil ||
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
						New: []store.Held{{Path: "f", Version: 2, WrappedDEK: []byte("new")}}}})
					if err != nil || !slices.Equal(took, []bool{true}) {
						t.Errorf("took %v, %v", took, err)
					}
				}
			}
		})
	}
}

// TestColumns: a form of other names in columns of its own, as text or as bytes, with the IV apart.
func TestColumns(t *testing.T) {
	t.Parallel()
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	p := envelope.At("things", "f")
	p.Parts.WrappedDEK, p.Parts.IV, p.Parts.KEKVersion, p.Bytes, p.Outer = "dek", "iv", "kv", envelope.Hex, "v"
	cat := envelope.Catalogue{p}
	a.exec(t, `CREATE TABLE things (id PRIMARY KEY, v, f_dek, f_iv, f_kv)`)
	sealed, iv := strings.Repeat("ab", 48), strings.Repeat("cd", 12)
	a.exec(t, `INSERT INTO things VALUES ('text', 1, ?1, ?2, 1), ('bytes', 1, CAST(?1 AS BLOB), CAST(?2 AS BLOB), 1),
		('upper case', 1, upper(?1), ?2, 1)`, sealed, iv)
	docs, err := s.Page(t.Context(), cat.Collections()[0], 2, nil, 10)
	if err != nil || len(docs) != 3 {
		t.Fatalf("documents %+v, %v", docs, err)
	}
	for _, d := range docs {
		h := d.Envelopes[0]
		if d.ID == "upper case" { // no spelling of ours, and no key opens what is not read
			if h.WrappedDEK != nil {
				t.Errorf("read %x", h.WrappedDEK)
			}
			continue
		}
		took, err := s.Swap(t.Context(), cat.Collections()[0], []store.Swap{{Old: d, To: 2,
			New: []store.Held{{Path: "f", Version: 2, WrappedDEK: bytes.Repeat([]byte{1}, 64)}}}}) // 16 bytes of IV
		if err != nil || !took[0] || len(h.WrappedDEK) != 60 {
			t.Errorf("%v: took %v, %v", d.ID, took, err)
		}
		var kinds string
		if err := s.db.QueryRow(`SELECT typeof(f_dek) || ' ' || length(f_dek) || ' ' || typeof(f_iv) || ' ' || length(f_iv)
			|| ' ' || v || ' ' || f_kv FROM things WHERE id = ?`, d.ID).Scan(&kinds); err != nil {
			t.Fatal(err)
		}
		kind := map[any]string{"text": "text", "bytes": "blob"}[d.ID]
		if want := kind + " 96 " + kind + " 32 2 2"; kinds != want {
			t.Errorf("%v: %s, want %s", d.ID, kinds, want)
		}
	}
	if strangers, err := s.Strangers(t.Context(), cat); err != nil || len(strangers) > 0 {
		t.Errorf("strangers %v, %v", strangers, err)
	}
}

// TestJSON: what stands in a column of JSON hides nothing, and is written all at once.
func TestJSON(t *testing.T) {
	t.Parallel()
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	place := func(path string) envelope.Place {
		p := envelope.At("users", path)
		p.Bytes, p.Outer = envelope.Hex, ""
		return p
	}
	cat := envelope.Catalogue{place("mfa.codes[]"), place("mfa.seed")}
	c := cat.Collections()[0]
	a.exec(t, `CREATE TABLE users (id PRIMARY KEY, mfa)`)
	a.exec(t, `INSERT INTO users VALUES
		('both', '{"seed": {"wrapped_dek": "01", "kek_version": 1, "n": 1.50},
			"codes": [{"wrapped_dek": "02", "kek_version": 1}]}'),
		('cut', '{"seed": {"wrapped_dek": "03", "kek_ver'),
		('twice', '{"seed": {"wrapped_dek": "04", "kek_version": 1, "wrapped_dek": "05"}}'),
		('no JSON', 'hello'), ('null', NULL), ('number', 7), ('other', '{"seed": 5, "codes": {"a": 1}}')`)
	docs, err := s.Page(t.Context(), c, 2, nil, 10)
	if err != nil || len(docs) != 3 {
		t.Fatalf("documents %+v, %v", docs, err)
	}
	for _, d := range docs[1:] { // each column once for each place
		if len(d.Envelopes) != 2 || d.Envelopes[0].Version != 0 || d.Envelopes[0].WrappedDEK != nil {
			t.Errorf("%v: %+v", d.ID, d.Envelopes)
		}
	}
	both := store.Swap{Old: docs[0], To: 2, New: []store.Held{{Path: "mfa.codes[0]", Version: 2, WrappedDEK: []byte{9}},
		{Path: "mfa.seed", Version: 2, WrappedDEK: []byte{8}}}}
	other := both // the provider's answer is about other bytes
	other.Old.Envelopes = slices.Clone(both.Old.Envelopes)
	other.Old.Envelopes[0].WrappedDEK = []byte{7}
	if took, err := s.Swap(t.Context(), c, []store.Swap{other}); err == nil ||
		!strings.Contains(err.Error(), "the bytes to replace are not those that were read") {
		t.Errorf("took %v, %v", took, err)
	}
	if took, err := s.Swap(t.Context(), c, []store.Swap{both}); err != nil || !took[0] {
		t.Errorf("took %v, %v", took, err)
	}
	var text string
	if err := s.db.QueryRow(`SELECT mfa FROM users WHERE id = 'both'`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	want := `{"seed":{"wrapped_dek":"08","kek_version":2,"n":1.50},"codes":[{"wrapped_dek":"09","kek_version":2}]}`
	if text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

// TestPlaceRefused: a place that is not as the catalogue says is refused, not counted as nothing.
func TestPlaceRefused(t *testing.T) {
	t.Parallel()
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	a.exec(t, `CREATE TABLE things (id PRIMARY KEY, mfa, both, both_wrapped_dek, f_wrapped_dek, f_kek_version)`)
	for path, want := range map[string]string{
		"mfa.seed": "place things.mfa.seed: JSON has no binary values, want bytes: base64 or hex",
		"both":     "place things.both: the table has a column both and one for the wrapped DEK",
		"f":        "place things.f: the table has no column kek_version for the outer version",
	} {
		p := envelope.At("things", path)
		if path == "both" {
			p.Bytes = envelope.Hex
		}
		_, err := s.Census(t.Context(), envelope.Catalogue{p})
		if !errors.Is(err, store.ErrPlace) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
