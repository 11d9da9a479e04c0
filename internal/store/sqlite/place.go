package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// located is a place with where its table has it: in columns of its own, of which each has the
// place's path and a part's name, or in one column of JSON, which the path begins with.
type located struct {
	envelope.Place
	json string // the column of JSON; empty: it has columns of its own
}

// column is that of a part.
func (l located) column(part string) string { return quote(l.Path + "_" + part) }

// version is the version that the place's own column says.
func (l located) version() string { return version(l.column(l.Parts.KEKVersion)) }

// there is the condition that the record has something at the place.
func (l located) there() string {
	if l.json != "" {
		return quote(l.json) + " IS NOT NULL"
	}
	return l.column(l.Parts.WrappedDEK) + " IS NOT NULL"
}

// read are the columns that a swap compares.
func (l located) read() (columns []string) {
	if l.json != "" {
		return []string{quote(l.json)}
	}
	for _, part := range l.Wrapped() {
		columns = append(columns, l.column(part))
	}
	return columns
}

// quote is a name of a table or a column in SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// version is what a column says of a version, also as a real number where that is the
// column's type: anything but a version is 0, so that
// nothing an application or an attacker wrote there hides an envelope from the census.
func version(column string) string {
	return fmt.Sprintf("iif(typeof(%[1]s) IN ('integer', 'real') AND %[1]s BETWEEN 1 AND %[2]d AND "+
		"%[1]s = CAST(%[1]s AS INTEGER), CAST(%[1]s AS INTEGER), 0)", column, kek.MaxVersion)
}

// columns are those of every table of applications, by table.
func (s *Store) columns(ctx context.Context) (map[string][]string, error) {
	type column struct{ table, name string }
	found, err := collect(ctx, s.db, func(r *sql.Rows) (c column, err error) {
		err = r.Scan(&c.table, &c.name)
		return c, err
	}, `SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c
	    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY m.name, c.cid`)
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	all := map[string][]string{}
	for _, c := range found {
		if !slices.ContainsFunc(ownTables, func(own string) bool { return s.db.name(own) == c.table }) {
			all[c.table] = append(all[c.table], c.name)
		}
	}
	return all, nil
}

// locate finds the places that the tables have.
func (s *Store) locate(ctx context.Context, places []envelope.Place) (all []located, err error) {
	columns, err := s.columns(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		have := columns[p.Collection]
		head, _, _ := strings.Cut(p.Path, ".")
		head = strings.TrimSuffix(head, "[]")
		inJSON := slices.Contains(have, head)
		apart := slices.Contains(have, p.Path+"_"+p.Parts.WrappedDEK)
		switch {
		case inJSON && apart:
			return nil, fmt.Errorf("place %s: the table has a column %s and one for the wrapped DEK: %w", p, head,
				store.ErrPlace)
		case inJSON && p.Bytes == envelope.Binary:
			return nil, fmt.Errorf("place %s: JSON has no binary values, want bytes: base64 or hex: %w", p, store.ErrPlace)
		case inJSON:
			all = append(all, located{p, head})
		case apart:
			all = append(all, located{p, ""})
		default:
			continue
		}
		if p.Outer != "" && !slices.Contains(have, p.Outer) {
			return nil, fmt.Errorf("place %s: the table has no column %s for the outer version: %w", p, p.Outer,
				store.ErrPlace)
		}
	}
	return all, nil
}

// outer is the version that a record's column says, and one that is all the same where there is none.
func outer(path string) string {
	if path == "" {
		return "0"
	}
	return version(quote(path))
}
