package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// Strangers implements store.Envelopes. Columns of an envelope are found by their names; every
// other column that has the name of a part in it is read as JSON.
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Place, error) {
	tables, err := s.columns(ctx)
	if err != nil {
		return nil, err
	}
	var out envelope.Catalogue
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		paths, err := s.strange(ctx, cat, table, tables[table])
		if err != nil {
			return nil, fmt.Errorf("look for envelopes in %s: %w", table, err)
		}
		for path := range paths {
			out = append(out, envelope.At(table, path))
		}
	}
	return out.With(), nil
}

// strange are the paths of a table's places with envelopes that the catalogue does not have.
func (s *Store) strange(
	ctx context.Context, cat envelope.Catalogue, table string, columns []string,
) (map[string]bool, error) {
	paths := map[string]bool{}
	cat = spelled(cat, table, columns)
	for column, path := range lookAlikes(cat, columns) {
		if slices.ContainsFunc(cat, func(p envelope.Place) bool {
			return p.Collection == table && strings.EqualFold(p.Path+"_"+p.Parts.WrappedDEK, column)
		}) {
			continue
		}
		var some bool
		query := fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM %s WHERE %s IS NOT NULL)`, quote(table), quote(column))
		if err := s.db.DB.QueryRowContext(ctx, query).Scan(&some); err != nil {
			return nil, err
		}
		if some {
			paths[path] = true
		}
	}
	known := inJSON(cat, table, columns)
	for _, column := range columns {
		err := s.inColumn(ctx, table, column, partNames(cat), func(root tree, err error) {
			if err != nil {
				paths[column] = true
				return
			}
			known.Strange(table, root, func(path string) { paths[path] = true })
		})
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// spelled is a catalogue with the names of a table and its columns as the table has them.
func spelled(cat envelope.Catalogue, table string, columns []string) envelope.Catalogue {
	cat = slices.Clone(cat)
	for i, p := range cat {
		if !strings.EqualFold(p.Collection, table) {
			continue
		}
		cat[i].Collection = table
		head := headOf(p)
		for _, c := range columns {
			if strings.EqualFold(c, head) {
				cat[i].Path = c + p.Path[len(head):]
			}
		}
	}
	return cat
}

// inJSON is a catalogue whose places of a table are those in JSON, and the others places of none.
func inJSON(cat envelope.Catalogue, table string, columns []string) envelope.Catalogue {
	cat = slices.Clone(cat)
	for i, p := range cat {
		if p.Collection == table && (p.Bytes == envelope.Binary || has(columns, p.Path+"_"+p.Parts.WrappedDEK)) {
			cat[i].Collection = ""
		}
	}
	return cat
}

// lookAlikes are the envelopes that columns look like: the path, by the column of the wrapped DEK.
// The path of a row that is one itself is empty.
func lookAlikes(cat envelope.Catalogue, columns []string) map[string]string {
	found := map[string]string{}
	for _, f := range append([]envelope.Form{envelope.Standard()}, forms(cat)...) {
		for _, column := range columns {
			path, ok := cutSuffix("_"+column, "_"+f.Parts.WrappedDEK)
			version := strings.TrimPrefix(path+"_"+f.Parts.KEKVersion, "_")
			if ok && (f.Parts == envelope.Standard().Parts || has(columns, version)) {
				found[column] = strings.TrimPrefix(path, "_")
			}
		}
	}
	return found
}

// cutSuffix is strings.CutSuffix in upper or lower case.
func cutSuffix(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

func forms(cat envelope.Catalogue) (all []envelope.Form) {
	for _, p := range cat {
		all = append(all, p.Form)
	}
	return all
}

// partNames are the names that a wrapped DEK has anywhere.
func partNames(cat envelope.Catalogue) []string {
	names := []string{envelope.Standard().Parts.WrappedDEK}
	for _, p := range cat {
		names = append(names, p.Parts.WrappedDEK)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// escapes are how a name may be written without its letters: by one that may be any, in JSON and in JSON5, which SQLite
// reads too, and with a line feed between two.
var escapes = []string{`\u`, `\x`, "\\\n", "\\\r", "\\\u2028", "\\\u2029"}

// mayName reports whether JSON may have one of some names in it.
func mayName(text []byte, names []string) bool {
	return slices.ContainsFunc(append(slices.Clip(names), escapes...), func(name string) bool {
		return bytes.Contains(text, []byte(name))
	})
}

// inColumn reads, as records of one field, what a column has with one of some names in it, as
// text, bytes or JSONB. An error is that of an object or array which SQLite can read, and parse cannot: random bytes
// may be a string as JSONB has it.
func (s *Store) inColumn(
	ctx context.Context, table, column string, names []string, found func(tree, error),
) error {
	var has []string
	var args []any
	// Bytes are UTF-8 also where a database keeps its text as UTF-16.
	for _, name := range append(slices.Clip(names), escapes...) {
		has = append(has, fmt.Sprintf("instr(%[1]s, iif(typeof(%[1]s) = 'blob', ?, ?)) > 0", quote(column)))
		args = append(args, []byte(name), name)
	}
	rows, err := s.db.DB.QueryContext(ctx, fmt.Sprintf(
		`SELECT iif(json_valid(%[2]s, 10) AND NOT json_valid(%[2]s), json(%[2]s), +%[2]s),
			iif(json_valid(%[2]s, 10), json_type(%[2]s) IN ('object', 'array'), 0)
			FROM %[1]s WHERE %[3]s`,
		quote(table), quote(column), strings.Join(has, " OR ")), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text sql.RawBytes
		var mayHold bool // names
		if err := rows.Scan(&text, &mayHold); err != nil {
			return err
		}
		v, err := parse(text)
		if err == nil || mayHold && mayName(text, names) {
			root := object()
			root.add(column, v)
			found(root, err)
		}
	}
	return rows.Err()
}

// Scan implements store.Envelopes. Columns with JSON in them are read as that, and those whose
// names begin alike as an object too.
func (s *Store) Scan(ctx context.Context, record func(collection string, record envelope.Tree) error) error {
	tables, err := s.columns(ctx)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		if err := s.scan(ctx, table, tables[table], record); err != nil {
			return fmt.Errorf("scan %s: %w", table, err)
		}
	}
	return nil
}

func (s *Store) scan(
	ctx context.Context, table string, columns []string, record func(collection string, record envelope.Tree) error,
) error {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = "+" + quote(c)
	}
	rows, err := s.db.DB.QueryContext(ctx, fmt.Sprintf(`SELECT %s FROM %s`, strings.Join(quoted, ", "), quote(table)))
	if err != nil {
		return err
	}
	defer rows.Close()
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := record(table, row(columns, values)); err != nil {
			return err
		}
	}
	return rows.Err()
}

// row is a record of a table, with the columns that begin with one name and _ as an object as well.
func row(columns []string, values []any) tree {
	root, groups := object(), map[string]*tree{}
	for i, c := range columns {
		var v envelope.Tree = tree{value: values[i]}
		if text, ok := values[i].(string); ok {
			if parsed, err := parse([]byte(text)); err == nil && (parsed.object || parsed.array) {
				v = parsed
			}
		}
		root.add(c, v)
		for at, r := range c {
			if r != '_' || at == 0 || values[i] == nil {
				continue
			}
			g, ok := groups[c[:at]]
			if !ok {
				fresh := object()
				g = &fresh
				groups[c[:at]] = g
			}
			g.add(c[at+1:], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if _, taken := root.Field(name); !taken {
			root.add(name, *groups[name])
		}
	}
	return root
}
