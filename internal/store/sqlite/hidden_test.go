package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

func made(t *testing.T, statements ...string) (*Store, application) {
	t.Helper()
	s, err := Create(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := application{s}
	for _, statement := range statements {
		a.exec(t, statement)
	}
	return s, a
}

// madeInUTF16 is a store in a database that keeps its text as UTF-16, the low byte of each unit first.
func madeInUTF16(t *testing.T, table string) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`PRAGMA encoding = 'UTF-16le'; ` + table); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// other is a place of a form of other names.
func other(collection, path string) envelope.Place {
	p := envelope.At(collection, path)
	p.Parts.WrappedDEK, p.Parts.KEKVersion, p.Bytes, p.Outer = "dek", "kv", envelope.Base64, ""
	return p
}

// TestHidden: an envelope that the catalogue does not have is a stranger, however it stands there.
func TestHidden(t *testing.T) {
	t.Parallel()
	f := envelope.At("t", "f")
	const json = `'{"wrapped_dek": "x", "kek_version": 1}'`
	for _, c := range []struct {
		name       string
		cat        envelope.Catalogue
		statements []string
		want       string
	}{
		{"JSON in a column whose name begins as a place's columns do", envelope.Catalogue{f}, []string{
			`CREATE TABLE t (id PRIMARY KEY, kek_version, f_wrapped_dek, f_kek_version, f_backup)`,
			`INSERT INTO t VALUES (1, 2, x'01', 2, ` + json + `)`}, "t.f_backup"},
		{"columns in upper case", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, F_WRAPPED_DEK, F_KEK_VERSION)`, `INSERT INTO t VALUES (1, x'01', 1)`}, "t.F"},
		{"columns of another form at a place", envelope.Catalogue{other("t", "f")}, []string{
			`CREATE TABLE t (id PRIMARY KEY, f_dek, f_kv, f_wrapped_dek, f_kek_version)`,
			`INSERT INTO t VALUES (1, 'x', 2, x'01', 1)`}, "t.f"},
		{"JSON of another form at a place", envelope.Catalogue{other("t", "f")}, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, `INSERT INTO t VALUES (1, ` + json + `)`}, "t.f"},
		{"JSON beside columns of a place", envelope.Catalogue{f}, []string{
			`CREATE TABLE t (id PRIMARY KEY, kek_version, f, f_wrapped_dek, f_kek_version)`,
			`INSERT INTO t VALUES (1, 2, ` + json + `, x'01', 2)`}, "t.f"},
		{"a name twice", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (1, '{"a": 1, "a": 2, "b": {"wrapped_dek": "x"}}')`}, "t.f"},
		{"JSONB", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, `INSERT INTO t VALUES (1, jsonb(` + json + `))`}, "t.f"},
		{"escaped names", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, `INSERT INTO t VALUES (1, '{"wrapped_\u0064ek": "x"}')`}, "t.f"},
		{"names escaped as JSON5 has it", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, `INSERT INTO t VALUES (1, '{"wrapped_\x64ek": "x"}')`}, "t.f"},
		{"names on two lines, as JSON5 has it", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, "INSERT INTO t VALUES (1, '{\"wrapped_\\\ndek\": \"x\"}')"}, "t.f"},
		{"names escaped as JSON5 has it, in JSONB", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, `INSERT INTO t VALUES (1, jsonb('{"wrapped_\x64ek": "x"}'))`}, "t.f"},
		{"escaped names, and a name twice", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`,
			`INSERT INTO t VALUES (1, '{"a": 1, "a": {"wrapped_\u0064ek": "x"}}')`}, "t.f"},
		{"a row that is an envelope", nil, []string{
			`CREATE TABLE t (id PRIMARY KEY, wrapped_dek, kek_version)`, `INSERT INTO t VALUES (1, x'01', 1)`}, "t."},
		{"a row that is an envelope of another form", envelope.Catalogue{other("u", "f")}, []string{
			`CREATE TABLE t (id PRIMARY KEY, dek, kv)`, `INSERT INTO t VALUES (1, 'x', 1)`}, "t."},
		{"a name with a dot in it", envelope.Catalogue{shapedAs("t", "f.a.b")}, []string{
			`CREATE TABLE t (id PRIMARY KEY, f)`, `INSERT INTO t VALUES (1, '{"a.b": ` + strings.Trim(json, "'") + `}')`},
			`t.f."a.b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := made(t, c.statements...)
			got, err := s.Strangers(t.Context(), c.cat)
			if err != nil || len(got) != 1 || got[0].String() != c.want {
				t.Errorf("got %v, %v, want %s", got, err, c.want)
			}
		})
	}
}

// TestHiddenInPlace: what only SQLite reads as JSON, with names that it alone spells out, may be of any version.
func TestHiddenInPlace(t *testing.T) {
	t.Parallel()
	s, a := made(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
	p := shapedAs("t", "f.a")
	for _, name := range []string{`wrapped_\x64ek`, "wrapped_\\\ndek", "wrapped_\\\u2028dek"} {
		a.exec(t, `INSERT OR REPLACE INTO t VALUES (1, '{"a": {"`+name+`": "eA==", "kek_version": 1}}')`)
		var dek string
		err := s.db.QueryRow(`SELECT json_extract(f, '$.a.wrapped_dek') FROM t`).Scan(&dek)
		if err != nil || dek != "eA==" {
			t.Errorf("an application reads %q, %v", dek, err)
		}
		counts, err := s.Census(t.Context(), envelope.Catalogue{p})
		if err != nil || len(counts) != 1 || counts[0].Version != 0 {
			t.Errorf("%q: got %v, %v", name, counts, err)
		}
	}
}

func shapedAs(collection, path string) envelope.Place {
	p := envelope.At(collection, path)
	p.Bytes, p.Outer = envelope.Base64, ""
	return p
}

// TestHiddenUTF16: a database keeps its text as UTF-16.
func TestHiddenUTF16(t *testing.T) {
	t.Parallel()
	s := madeInUTF16(t, `CREATE TABLE x (y)`)
	a := application{s}
	a.exec(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
	a.exec(t, `INSERT INTO t VALUES (1, '{"wrapped_dek": "x", "kek_version": 1}')`)
	var encoding string
	if err := s.db.QueryRow(`PRAGMA encoding`).Scan(&encoding); err != nil || !strings.HasPrefix(encoding, "UTF-16") {
		t.Fatal(encoding, err)
	}
	got, err := s.Strangers(t.Context(), nil)
	if err != nil || len(got) != 1 || got[0].String() != "t.f" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestNotHidden: what shows an envelope of the catalogue again is no other one.
func TestNotHidden(t *testing.T) {
	t.Parallel()
	p := shapedAs("T", "F.a")
	s, _ := made(t, `CREATE TABLE t (id PRIMARY KEY, f, shown AS (json_extract(f, '$.a')))`,
		`INSERT INTO t VALUES (1, '{"a": {"wrapped_dek": "eA==", "kek_version": 1}}')`)
	got, err := s.Strangers(t.Context(), envelope.Catalogue{p})
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	counts, err := s.Census(t.Context(), envelope.Catalogue{p})
	if err != nil || !slices.Equal(counts, []store.Count{{Place: p, Version: 1, N: 1}}) {
		t.Errorf("counts %v, %v: names are the same in upper and lower case", counts, err)
	}
}

// TestNamesOfOurs: an application's table or column may have the name of a table of ours.
func TestNamesOfOurs(t *testing.T) {
	t.Parallel()
	s, a := made(t)
	for _, table := range ownTables {
		a.exec(t, `DROP TABLE `+table)
	}
	a.exec(t, `CREATE TABLE kek_versions (id, f_wrapped_dek)`)
	a.exec(t, `INSERT INTO kek_versions VALUES (1, x'01')`)
	a.exec(t, `CREATE TABLE t (id PRIMARY KEY, kek_active)`)
	a.exec(t, `INSERT INTO t VALUES (1, '{"wrapped_dek": "eA==", "kek_version": 1}')`)
	s.Under("kekceremony_")
	p := shapedAs("t", "kek_active")
	for range 2 {
		got, err := s.Strangers(t.Context(), nil)
		if err != nil || len(got) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
		n := 0
		err = s.Scan(t.Context(), func(string, envelope.Tree) error { n++; return nil })
		if err != nil || n != 2 {
			t.Errorf("%d records, %v", n, err)
		}
		counts, err := s.Census(t.Context(), envelope.Catalogue{p})
		if err != nil || !slices.Equal(counts, []store.Count{{Place: p, Version: 1, N: 1}}) {
			t.Errorf("counts %v, %v", counts, err)
		}
		docs, err := s.Page(t.Context(), envelope.Catalogue{p}.Collections()[0], 2, nil, 5)
		if err != nil || len(docs) != 1 {
			t.Errorf("documents %v, %v", docs, err)
		}
		if err := s.OpenCeremony(t.Context(), store.Ceremony{Seq: 1}); err != nil && n == 0 {
			t.Fatal(err)
		}
	}
}

// TestLegacyColumn: a table may have a column of the name of a place, of before it had envelopes.
func TestLegacyColumn(t *testing.T) {
	t.Parallel()
	s, _ := made(t, `CREATE TABLE t (id PRIMARY KEY, kek_version, f, f_wrapped_dek, f_kek_version)`,
		`INSERT INTO t VALUES (1, 1, 'legacy', x'01', 1)`)
	p := envelope.At("t", "f")
	counts, err := s.Census(t.Context(), envelope.Catalogue{p})
	if err != nil || !slices.Equal(counts, []store.Count{{Place: p, Version: 1, N: 1}}) {
		t.Errorf("counts %v, %v", counts, err)
	}
}

// TestUnreadable: JSON that cannot be read is counted where the names of its parts are escaped too.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	p := other("t", "f")
	s, _ := made(t, `CREATE TABLE t (id PRIMARY KEY, f)`,
		`INSERT INTO t VALUES (1, '{"a": 1, "a": 2, "\u0064ek": "x", "\u006bv": 1}')`)
	counts, err := s.Census(t.Context(), envelope.Catalogue{p})
	if err != nil || !slices.Equal(counts, []store.Count{{Place: p, Version: 0, N: 1}}) {
		t.Errorf("counts %v, %v", counts, err)
	}
}

// TestKept: a column's type turns text that looks like a number into one, and a trigger may write
// what it likes. What does not stand there as it was written is not written.
func TestKept(t *testing.T) {
	t.Parallel()
	p := other("t", "f")
	p.Parts.IV, p.Bytes = "iv", envelope.Hex
	dek, iv := bytes.Repeat([]byte{0xab}, 48), bytes.Repeat([]byte{0xcd}, 12)
	digits := bytes.Repeat([]byte{0x12}, 12) // of a new IV
	for _, c := range []struct{ name, kind, trigger string }{
		{"numbers", "STRING", ``},
		{"a trigger", "TEXT", `CREATE TRIGGER x AFTER UPDATE ON t WHEN new.f_iv <> '' BEGIN UPDATE t SET f_iv = ''; END`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, a := made(t, `CREATE TABLE t (id PRIMARY KEY, f_dek STRING, f_iv `+c.kind+`, f_kv INTEGER)`, c.trigger)
			a.exec(t, `INSERT INTO t VALUES (1, ?, ?, 1)`, p.Bytes.Encode(dek), p.Bytes.Encode(iv))
			coll := envelope.Catalogue{p}.Collections()[0]
			docs, err := s.Page(t.Context(), coll, 2, nil, 10)
			if err != nil || len(docs) != 1 {
				t.Fatal(docs, err)
			}
			_, err = s.Swap(t.Context(), coll, []store.Swap{{Old: docs[0], To: 2,
				New: []store.Held{{Path: "f", Version: 2, WrappedDEK: slices.Concat(digits, dek)}}}})
			if err == nil {
				t.Error("the store took what it does not keep")
			}
			var v kek.Version
			var is any
			if err := s.db.QueryRow(`SELECT f_kv, +f_iv FROM t`).Scan(&v, &is); err != nil || v != 1 ||
				is != p.Bytes.Encode(iv) {
				t.Errorf("version %d, IV %v, %v", v, is, err)
			}
		})
	}
}

// TestJSONKept: a swap leaves everything else in a column of JSON as it was.
func TestJSONKept(t *testing.T) {
	t.Parallel()
	p := shapedAs("t", "f.x")
	const rest = `"n":1.50,"big":123456789012345678901234567890,"e":1E400,"s":"\u0000\/\ud800é","o":{"":[]}`
	s, _ := made(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
	old := `{` + rest + `,"x":{"wrapped_dek":"eA==","kek_version":1,"nonce":"bg=="}}`
	application{s}.exec(t, `INSERT INTO t VALUES (1, ?)`, old)
	coll := envelope.Catalogue{p}.Collections()[0]
	docs, err := s.Page(t.Context(), coll, 2, nil, 10)
	if err != nil || len(docs) != 1 {
		t.Fatal(docs, err)
	}
	took, err := s.Swap(t.Context(), coll, []store.Swap{{Old: docs[0], To: 2,
		New: []store.Held{{Path: "f.x", Version: 2, WrappedDEK: []byte("y")}}}})
	var is string
	if err2 := s.db.QueryRow(`SELECT f FROM t`).Scan(&is); err != nil || err2 != nil || !took[0] {
		t.Fatal(took, err, err2)
	}
	if want := fmt.Sprintf(`{%s,"x":{"wrapped_dek":"eQ==","kek_version":2,"nonce":"bg=="}}`, rest); is != want {
		t.Errorf("got  %s\nwant %s", is, want)
	}
}

// TestOneColumn: two places that would write one column are refused.
func TestOneColumn(t *testing.T) {
	t.Parallel()
	s, _ := made(t, `CREATE TABLE t (id PRIMARY KEY, j, f_key_dek, f_kv, f_key_kv)`)
	f := other("t", "f")
	f.Parts.WrappedDEK = "key_dek"
	for _, cat := range []envelope.Catalogue{{f, other("t", "f_key")}, {other("t", "j.a"), other("t", "J.b")}} {
		if _, err := s.Census(t.Context(), cat); !errors.Is(err, store.ErrPlace) {
			t.Errorf("%v: %v", cat, err)
		}
	}
	if _, err := s.Census(t.Context(), envelope.Catalogue{other("t", "j.a"), other("t", "j.b")}); err != nil {
		t.Error(err)
	}
}

// TestBytesThatAreJSON: of a million wrapped DEKs, which are random bytes, some are a string as JSONB has it, with
// what begins an escape. A string has no names.
func TestBytesThatAreJSON(t *testing.T) {
	t.Parallel()
	s, a := made(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
	for id, kind := range []byte{0xc7, 0xc8, 0xc9, 0xca} { // text, with the escapes of JSON, of JSON5, without any
		for n, escape := range []string{`\u`, `\x`, "\\\n"} { // after the first, SQLite checks no digits in JSONB
			b := append([]byte{kind, 58}, escape...)
			for len(b) < 60 {
				b = append(b, 0xff) // which is no UTF-8
			}
			a.exec(t, `INSERT INTO t VALUES (?, ?)`, 10*id+n, b)
		}
	}
	if got, err := s.Strangers(t.Context(), nil); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestBytesThatAreNothing: random bytes, many of them of the characters of JSON and its escapes, are no envelope: of a
// million wrapped DEKs, a few begin with {} and have \u in them.
func TestBytesThatAreNothing(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 11))
	const marks = `{}{}[]"":,\\\u\x\0/ 0` + "\n\xcb\xcc\x1b\x07"
	for range 300_000 {
		b := make([]byte, 60)
		for i := range b {
			if b[i] = byte(random.Uint32()); random.IntN(2) == 0 {
				b[i] = marks[random.IntN(len(marks))]
			}
		}
		if _, err, ok := hold(nil, b, false, true); ok && err != nil {
			t.Fatalf("%q: %v", b, err)
		}
	}
}
