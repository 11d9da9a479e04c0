package sqlite

import (
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
	apart := columnsOf(cat, columns)
	for path, column := range apart {
		if slices.ContainsFunc(cat, func(p envelope.Place) bool { return p.Collection == table && p.Path == path }) {
			continue
		}
		var some bool
		query := fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM %s WHERE %s IS NOT NULL)`, quote(table), quote(column))
		if err := s.db.QueryRowContext(ctx, query).Scan(&some); err != nil {
			return nil, err
		}
		if some {
			paths[path] = true
		}
	}
	for _, column := range columns {
		if ofAny(apart, column) {
			continue
		}
		err := s.inColumn(ctx, table, column, partNames(cat), func(root tree) {
			cat.Strange(table, root, func(path string) { paths[path] = true })
		})
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// columnsOf are the envelopes that columns look like: the column of the wrapped DEK, by path.
func columnsOf(cat envelope.Catalogue, columns []string) map[string]string {
	found := map[string]string{}
	for _, f := range append([]envelope.Form{envelope.Standard()}, forms(cat)...) {
		for _, column := range columns {
			path, ok := strings.CutSuffix(column, "_"+f.Parts.WrappedDEK)
			if ok && (f.Parts == envelope.Standard().Parts || slices.Contains(columns, path+"_"+f.Parts.KEKVersion)) {
				found[path] = column
			}
		}
	}
	return found
}

func forms(cat envelope.Catalogue) (all []envelope.Form) {
	for _, p := range cat {
		all = append(all, p.Form)
	}
	return all
}

func ofAny(apart map[string]string, column string) bool {
	for path := range apart {
		if strings.HasPrefix(column, path+"_") {
			return true
		}
	}
	return false
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

// inColumn reads, as records of one field, what a column has with one of some names in it.
func (s *Store) inColumn(ctx context.Context, table, column string, names []string, found func(tree)) error {
	var has []string
	var args []any
	for _, name := range names {
		has, args = append(has, "instr(CAST("+quote(column)+" AS BLOB), CAST(? AS BLOB)) > 0"), append(args, name)
	}
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf(`SELECT CAST(%[2]s AS BLOB) FROM %[1]s WHERE %[3]s`, quote(table),
		quote(column), strings.Join(has, " OR ")), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if v, err := parse(text); err == nil {
			root := object()
			root.add(column, v)
			found(root)
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
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf(`SELECT %s FROM %s`, strings.Join(quoted, ", "), quote(table)))
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
