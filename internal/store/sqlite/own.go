package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/certautopilot/kekceremony/internal/store"
)

// ownTables are the tables in which no application keeps records, as statements name them.
var ownTables = []string{"kek_install", "kek_versions", "kek_active", "kek_wraps", "kek_ceremonies", "kek_events",
	"kek_void", "kek_refusals", "process_heartbeats"}

var ownTable = regexp.MustCompile(`\b(` + strings.Join(ownTables, "|") + `|process_heartbeats_seen)\b`)

// database puts the ceremony's own tables under names with a prefix, in every statement that names
// them, and makes them when the first is written: who only looks adds nothing to a database.
type database struct {
	*sql.DB // without it, statements are those of an application
	prefix  string
	made    atomic.Bool
}

// name is that of an own table.
func (d *database) name(table string) string {
	if d.prefix == "" {
		return table
	}
	return d.prefix + strings.TrimPrefix(table, "kek_")
}

func (d *database) named(statement string) string {
	return ownTable.ReplaceAllStringFunc(statement, d.name)
}

// there reports whether the own tables have been made.
func (d *database) there(ctx context.Context) (bool, error) {
	if d.made.Load() {
		return true, nil
	}
	var made bool
	err := d.DB.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)`,
		d.name("kek_events")).Scan(&made)
	if err == nil && made { // made by an older program, they may lack one
		err = d.make(ctx)
	}
	return made, err
}

// make makes the own tables that are missing, and refuses to where an application has one of the
// name of the lock.
func (d *database) make(ctx context.Context) error {
	if d.made.Load() {
		return nil
	}
	var another bool
	err := d.DB.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)
		AND NOT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE name = 'roster')`, d.name("kek_install")).Scan(&another)
	if err == nil && another {
		err = fmt.Errorf("table %s: %w", d.name("kek_install"), store.ErrLock)
	}
	if err == nil {
		_, err = d.DB.ExecContext(ctx, d.named(schema))
	}
	if err == nil {
		err = d.addBound(ctx)
	}
	if err == nil {
		d.made.Store(true)
	}
	return err
}

// addBound adds the column that a table of versions made by an older program lacks.
func (d *database) addBound(ctx context.Context) error {
	lacks := func() (yes bool, err error) {
		err = d.DB.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM pragma_table_info(?) WHERE name = 'bound')`,
			d.name("kek_versions")).Scan(&yes)
		return yes, err
	}
	missing, err := lacks()
	if err != nil || !missing {
		return err
	}
	_, err = d.DB.ExecContext(ctx, d.named(`ALTER TABLE kek_versions ADD COLUMN bound INTEGER NOT NULL DEFAULT 0`))
	if err != nil { // another process may have been first
		if missing, again := lacks(); again == nil && !missing {
			return nil
		}
	}
	return err
}

// nothing is a statement that finds no row.
const nothing = `SELECT NULL WHERE 0`

// ready is a statement that can be done now: one that reads own tables which are not there finds
// nothing.
func (d *database) ready(ctx context.Context, statement string) (string, error) {
	if !ownTable.MatchString(statement) {
		return statement, nil
	}
	if !strings.HasPrefix(statement, "SELECT") {
		return d.named(statement), d.make(ctx)
	}
	if there, err := d.there(ctx); err != nil || !there {
		return nothing, err
	}
	return d.named(statement), nil
}

// ExecContext is that of sql.DB.
func (d *database) ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	statement, err := d.ready(ctx, statement)
	if err != nil {
		return nil, err
	}
	return d.DB.ExecContext(ctx, statement, args...)
}

// QueryContext is that of sql.DB.
func (d *database) QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	statement, err := d.ready(ctx, statement)
	if err != nil {
		return nil, err
	}
	if statement == nothing {
		args = nil
	}
	return d.DB.QueryContext(ctx, statement, args...)
}

// QueryRowContext is that of sql.DB. An error of making the tables is the statement's own, again.
func (d *database) QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row {
	ready, err := d.ready(ctx, statement)
	if err != nil {
		ready = d.named(statement)
	}
	if ready == nothing {
		args = nil
	}
	return d.DB.QueryRowContext(ctx, ready, args...)
}
