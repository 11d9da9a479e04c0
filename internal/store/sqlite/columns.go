package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// column is one of a table.
type column struct{ table, name string }

// columns are those of every table of applications, by table. A generated one is left out: it shows
// what others have. A virtual table of a module that this program lacks, such as FTS5, has none: what such a one keeps
// in this database is in tables of its own, which are no virtual ones.
func (s *Store) columns(ctx context.Context) (map[string][]string, error) {
	var closed []string
	found, err := s.columnsBut(ctx, nil)
	if err != nil && lacksModule(err) {
		if closed, err = s.closedTables(ctx); err == nil {
			found, err = s.columnsBut(ctx, closed)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list columns: %w", err)
	}
	all := map[string][]string{}
	for _, table := range closed {
		all[table] = nil
	}
	for _, c := range found {
		if !slices.ContainsFunc(ownTables, func(own string) bool { return s.db.name(own) == c.table }) {
			all[c.table] = append(all[c.table], c.name)
		}
	}
	return all, nil
}

// columnsBut are those of all tables but some.
func (s *Store) columnsBut(ctx context.Context, tables []string) ([]column, error) {
	but, err := json.Marshal(append([]string{}, tables...))
	if err != nil {
		return nil, err
	}
	return collect(ctx, s.db.DB, func(r *sql.Rows) (c column, err error) {
		err = r.Scan(&c.table, &c.name)
		return c, err
	}, `SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
	    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
	    AND m.name NOT IN (SELECT value FROM json_each(?))
	    ORDER BY m.name, c.cid`, string(but))
}

// closedTables are the virtual ones of modules that this program lacks.
func (s *Store) closedTables(ctx context.Context) (closed []string, err error) {
	virtual, err := collect(ctx, s.db.DB, func(r *sql.Rows) (name string, err error) {
		err = r.Scan(&name)
		return name, err
	}, `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0`)
	for _, name := range virtual {
		var n int
		err := s.db.DB.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info(?)`, name).Scan(&n)
		if err != nil && lacksModule(err) {
			closed = append(closed, name)
		}
	}
	return closed, err
}

// lacksModule: SQLite has no code of its own for this error.
func lacksModule(err error) bool { return strings.Contains(err.Error(), "no such module: ") }
