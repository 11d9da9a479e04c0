package sqlite

import (
	"context"
	"database/sql"
	"errors"
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
		err := s.inColumn(ctx, table, column, cat, func(root tree, err error) {
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

// inColumn reads, as records of one field, what a column has with one of some names in it, as
// text, bytes or JSONB. An error is that of an object or array which some readers can read, and parse cannot: an
// envelope may be in it.
func (s *Store) inColumn(
	ctx context.Context, table, column string, cat envelope.Catalogue, found func(tree, error),
) error {
	query, args, err := s.mayHold(ctx, table, column, partNames(cat))
	if err != nil {
		return err
	}
	rows, err := s.db.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text sql.RawBytes
		var isObject, isBlob bool // isObject: SQLite reads it as an object or array of JSON5
		if err := rows.Scan(&text, &isObject, &isBlob); err != nil {
			return err
		}
		if v, err, ok := hold(cat, text, isObject, isBlob); ok {
			root := object()
			root.add(column, v)
			found(root, err)
		}
	}
	return rows.Err()
}

// hold reads a value that may hold an envelope. False: no reader finds one.
func hold(cat envelope.Catalogue, text []byte, isObject, isBlob bool) (v tree, err error, ok bool) {
	v, err = parse(text)
	if err != nil && isBlob {
		if inJSONB, ok, err := parseJSONB(text); ok {
			return inJSONB, err, true
		}
	}
	shaped := func(v tree) bool { return cat.Shaped(v) }
	switch {
	case err == nil:
		if v.someText(shaped) {
			err = errText
		}
		return v, err, true
	case errors.Is(err, errTwice):
		return v, err, v.hides(shaped)
	case errors.Is(err, errRest):
		for v, err := range stream(text) {
			if v.hides(shaped) || errors.Is(err, errDeep) && mayName(text, partNames(cat)) {
				return v, errRest, true
			}
		}
		return v, err, false
	}
	return v, err, (isObject || errors.Is(err, errDeep)) && mayName(text, partNames(cat))
}

// errText is that of text in JSON that is an envelope.
var errText = errors.New("JSON in text of JSON")

// mayHold is the query of what a column has with one of some names in it, or JSONB, of which SQLite compares names
// that are not spelled out. Of JSON5, it is what SQLite makes of it. SQLite stops at the operand of AND or OR that
// decides, in a condition; in a value, as of CASE, it takes all of them.
func (s *Store) mayHold(
	ctx context.Context, table, column string, names []string,
) (query string, args []any, err error) {
	var encoding string
	if err := s.db.DB.QueryRowContext(ctx, `PRAGMA encoding`).Scan(&encoding); err != nil {
		return "", nil, err
	}
	// Bytes are UTF-8 also where a database keeps its text as UTF-16. SQLite reads them as that, there.
	blob, args := contains("%[1]s", names, func(name string) any { return []byte(name) })
	if encoding != "UTF-8" {
		wide, more := contains("CAST(%[1]s AS TEXT)", names, func(name string) any { return name })
		blob, args = blob+" OR "+wide, append(args, more...)
	}
	text, more := contains("%[1]s", names, func(name string) any { return name })
	args = append(args, more...)
	return fmt.Sprintf(`SELECT iif(json_valid(%[1]s, 2) AND NOT json_valid(%[1]s), json(%[1]s), +%[1]s),
			iif(json_valid(%[1]s, 2), json_type(%[1]s) IN ('object', 'array'), 0), typeof(%[1]s) = 'blob'
			FROM %[2]s WHERE typeof(%[1]s) = 'blob' AND (json_valid(%[1]s, 4) OR `+blob+`) -- 4: by the size alone
			OR typeof(%[1]s) = 'text' AND (`+text+`)`, quote(column), quote(table)), args, nil
}

// contains is SQL for whether an operand has one of some names in it, or an escape. Each name is a pass over the
// operand, and each escape another one where it has the character that all of them begin with.
func contains(operand string, names []string, value func(string) any) (query string, args []any) {
	anyOf := func(texts ...string) string {
		each := make([]string, len(texts))
		for i, text := range texts {
			each[i] = "instr(" + operand + ", ?) > 0"
			args = append(args, value(text))
		}
		return strings.Join(each, " OR ")
	}
	query = anyOf(names...)
	query += " OR " + anyOf(`\`)
	query += " AND (" + anyOf(escapes...) + ")"
	return query, args
}

// Scan implements store.Envelopes. Columns with JSON in them are read as that, and those whose
// names begin alike as an object too.
func (s *Store) Scan(ctx context.Context, record func(collection string, record envelope.Tree) error) error {
	tables, err := s.columns(ctx)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		if len(tables[table]) == 0 {
			continue
		}
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
