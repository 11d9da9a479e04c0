package sqlite

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// jsonb is an element of JSONB of less than 256 bytes.
func jsonb(kind byte, body ...string) string {
	all := strings.Join(body, "")
	return string([]byte{0xc0 | kind, byte(len(all))}) + all
}

// disguised are envelopes that some reader finds, and another does not. SQLite reads them with json_extract.
var disguised = []struct {
	name  string
	value any
}{
	{"a name that goes on behind its end", `{"wrapped_dek\u0000x": "eA==", "kek_version": 1}`},
	{"text that goes on behind its end", `{"wrapped_dek": "eA==", "kek_version": 1}` + "\x00 rest"},
	{"letters in two bytes", "{\"wrapped_\xc1\xa4e\\u006b\": \"eA==\"}"},
	{"letters in four bytes, and an end", "{\"wrapped_\xf0\x80\x81\xa4ek\\0\": \"eA==\"}"},
	{"JSONB with letters in two bytes", []byte(jsonb(jsonbObj,
		jsonb(jsonbTextJ, "wrapped_\xc1\xa4ek"), jsonb(jsonbText, "eA==")))},
	{"JSONB with escapes of no digits", []byte(jsonb(jsonbObj,
		jsonb(jsonbText5, `wrapped_\xMKek`), jsonb(jsonbText, "eA==")))},
	{"damaged JSONB", []byte(jsonb(jsonbObj, jsonb(jsonbText, "wrapped_dek"), jsonb(jsonbText, "eA=="), "\x05"))},
	{"damaged JSONB, with an escape", []byte(jsonb(jsonbObj,
		jsonb(jsonbTextJ, `wrapped_\u0064ek`), jsonb(jsonbText, "eA=="), "\x05"))},
	{"a line that goes on, in JSONB", []byte(jsonb(jsonbObj,
		jsonb(jsonbText5, "wrapped\\\r\n_dek"), jsonb(jsonbText, "eA==")))},
}

// TestDisguised: what SQLite's functions read is a stranger, and may be of any version in a place.
func TestDisguised(t *testing.T) {
	t.Parallel()
	for _, c := range disguised {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, a := made(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
			a.exec(t, `INSERT INTO t VALUES (1, ?)`, c.value)
			var dek string
			err := s.db.QueryRow(`SELECT json_extract(f, '$.wrapped_dek') FROM t`).Scan(&dek)
			if err != nil || dek != "eA==" {
				t.Fatalf("an application reads %q, %v", dek, err)
			}
			s.held(t, "t.f")
			counts, err := s.Census(t.Context(), envelope.Catalogue{shapedAs("t", "f")})
			if err != nil || len(counts) != 1 {
				t.Errorf("counts %v, %v", counts, err)
			}
		})
	}
}

// held demands that there are strangers at some places.
func (s *Store) held(t *testing.T, want ...string) {
	t.Helper()
	strangers, err := s.Strangers(t.Context(), nil)
	var got []string
	for _, p := range strangers {
		got = append(got, p.String())
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("strangers %v, %v, want %v", got, err, want)
	}
}

// TestDisguisedFromSQLite: what applications decode, as those in Go do, and SQLite does not.
func TestDisguisedFromSQLite(t *testing.T) {
	t.Parallel()
	const one = `{"wrapped_dek": "eA==", "kek_version": 1}`
	deep := strings.Repeat("[", 1001) + one + strings.Repeat("]", 1001)
	s, a := made(t)
	var want []string
	for i, value := range []string{
		one + "\n" + one, `{}` + "\n" + one, // a stream
		deep,
		fmt.Sprintf(`{"a": [%q]}`, one), fmt.Sprintf("%q", one), fmt.Sprintf(`{"a": %q}`, deep), // encoded twice
		fmt.Sprintf(`{"a": %q}`, fmt.Sprintf(`{"a": %q}`, one)),
		fmt.Sprintf(`{"a": 1, "a": %q}`, one),
	} {
		table := fmt.Sprintf("t%d", i)
		a.exec(t, `CREATE TABLE `+table+` (id PRIMARY KEY, f)`)
		a.exec(t, `INSERT INTO `+table+` VALUES (1, ?)`, value)
		want = append(want, table+".f")
	}
	s.held(t, want...)
}

// TestBytesInUTF16: in a database that keeps its text as UTF-16, SQLite reads bytes as that, and applications may read
// bytes of UTF-8.
func TestBytesInUTF16(t *testing.T) {
	t.Parallel()
	s := madeInUTF16(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
	const one = `{"wrapped_dek": "eA==", "kek_version": 1}`
	var wide []byte
	for _, unit := range utf16.Encode([]rune(one)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	p := shapedAs("t", "f")
	for _, c := range []struct {
		value []byte
		reads string
		want  store.Count
	}{
		{wide, `SELECT json_extract(f, '$.wrapped_dek') FROM t`, store.Count{Place: p, Version: 0, N: 1}},
		{[]byte(one), `SELECT 'eA=='`, store.Count{Place: p, Version: 1, N: 1}},
	} {
		application{s}.exec(t, `INSERT OR REPLACE INTO t VALUES (1, ?)`, c.value)
		var dek string
		if err := s.db.QueryRow(c.reads).Scan(&dek); err != nil || dek != "eA==" {
			t.Fatalf("an application reads %q, %v", dek, err)
		}
		s.held(t, "t.f")
		counts, err := s.Census(t.Context(), envelope.Catalogue{p})
		if err != nil || !slices.Equal(counts, []store.Count{c.want}) {
			t.Errorf("counts %v, %v", counts, err)
		}
	}
}

// TestInnocent: what no reader finds an envelope in stops no rotation, outside the catalogue or in a place.
func TestInnocent(t *testing.T) {
	t.Parallel()
	s, a := made(t, `CREATE TABLE t (id PRIMARY KEY, f)`)
	for id, value := range []any{
		`{"a": 1, "a": "caf\u00e9"}`, `{"\u0000App\u0000a": 1, "\u0000App\u0000b": 2}`, // a name twice; as PHP writes
		`pass\x1word`, `C:\users`, // of before there were envelopes
		append([]byte{0xcc, 58}, bytes.Repeat([]byte(`\u`), 29)...), []byte("\\u\xff\x00\\x"), // random
		[]byte(jsonb(jsonbObj, jsonb(jsonbText, "a"), jsonb(jsonbTextJ, `\u00e9`))),
		fmt.Sprintf(`{"a": %q}`, `{"b": "\u00e9"}`),
	} {
		a.exec(t, `INSERT INTO t VALUES (?, ?)`, id, value)
	}
	a.exec(t, `CREATE TABLE notes (id PRIMARY KEY, f)`)
	a.exec(t, `INSERT INTO notes VALUES (1, '[1] see wrapped_dek')`)
	s.held(t)
	counts, err := s.Census(t.Context(), envelope.Catalogue{shapedAs("t", "f.a")})
	if err != nil || len(counts) > 0 {
		t.Errorf("counts %v, %v", counts, err)
	}
}
