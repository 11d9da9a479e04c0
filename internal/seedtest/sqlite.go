package seedtest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // the application's own driver
)

// SQLite is a database in one file. A secret at the top of a record has columns of its own; what
// else is nested is JSON.
type SQLite struct {
	db      *sql.DB
	columns map[string][]string
}

// NewSQLite makes the file, or opens it.
func NewSQLite(t testing.TB, path string) *SQLite {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=10000&_journal_mode=WAL&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &SQLite{db, map[string][]string{}}
}

func (s *SQLite) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if _, err := s.db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Put implements Database.
func (s *SQLite) Put(t testing.TB, collection, id string, record map[string]any) {
	t.Helper()
	names, values := []string{"id"}, []any{id}
	for name, v := range record {
		if e, ok := v.(map[string]any); ok && e["wrapped_dek"] != nil {
			for part, v := range e {
				names, values = append(names, name+"_"+part), append(values, v)
			}
			continue
		}
		switch v.(type) {
		case map[string]any, []any:
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			v = string(text)
		}
		names, values = append(names, name), append(values, v)
	}
	if s.columns[collection] == nil {
		s.exec(t, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (id TEXT PRIMARY KEY, %s)", collection,
			strings.Join(names[1:], ", ")))
		s.columns[collection] = names
	}
	s.exec(t, fmt.Sprintf("INSERT OR REPLACE INTO %s (%s) VALUES (%s)", collection, strings.Join(names, ", "),
		strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")), values...)
}

// Get implements Database.
func (s *SQLite) Get(t testing.TB, collection, id string) map[string]any {
	t.Helper()
	rows, err := s.db.Query(fmt.Sprintf("SELECT * FROM %s WHERE id = ?", collection), id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("%s %s: %v, %v", collection, id, err, rows.Err())
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		t.Fatal(err)
	}
	record := map[string]any{}
	for i, name := range names {
		if at := slices.Index(names, name); at != i || name == "id" {
			continue
		}
		record[name] = nested(t, values[i])
		for _, part := range []string{"wrapped_dek", "nonce", "ciphertext", "kek_version", "provider"} {
			top, ok := strings.CutSuffix(name, "_"+part)
			if !ok {
				continue
			}
			e, ok := record[top].(map[string]any)
			if !ok {
				e = map[string]any{}
				record[top] = e
			}
			e[part] = values[i]
		}
	}
	return record
}

// nested is JSON as maps and slices, with whole numbers as int64, and everything else as it is.
func nested(t testing.TB, v any) any {
	text, ok := v.(string)
	if !ok || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return v
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return whole(out)
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = whole(v[name])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case json.Number:
		n, _ := v.Int64()
		return n
	}
	return v
}
