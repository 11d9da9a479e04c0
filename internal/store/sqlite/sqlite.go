// Package sqlite is the embedded store: the records of design section 4 as
// tables of one SQLite file, an envelope's parts as columns of its own.
//
// An application's table has id, kek_version and, for each place f of the standard form,
// the columns f_wrapped_dek, f_nonce, f_ciphertext, f_kek_version, f_provider. A path that goes
// on begins with a column of JSON.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/store"
)

//go:embed schema.sql
var schema string

// Store is an open SQLite file.
type Store struct {
	db   *database
	path string
	// writing orders the pipeline's own writes: SQLite's wait for the lock is a sleep that grows.
	writing sync.Mutex
}

var _ store.Store = (*Store)(nil)

// Open opens an existing SQLite file. The ceremony's own tables are made when the first is
// written. Every commit reaches the disk before it is answered: WAL with synchronous=FULL.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, url.Values{"mode": {"rw"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"},
		"_txlock": {"immediate"}})
}

// OpenReader opens an existing SQLite file to read an application's records. It changes nothing,
// not even how the file keeps its log.
func OpenReader(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, url.Values{"mode": {"ro"}})
}

func open(ctx context.Context, path string, how url.Values) (*Store, error) {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open store: %w: %w", err, store.ErrNoDatabase)
	} else if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open store %s: not a regular file", path)
	}
	how.Set("_busy_timeout", "10000")
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+how.Encode())
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	return &Store{db: &database{DB: db}, path: path}, nil
}

// Create makes the file, which must not exist, and opens it.
func Create(ctx context.Context, path string) (*Store, error) {
	if err := file.Create(path, nil); err != nil {
		return nil, fmt.Errorf("create store: %w", err)
	}
	s, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := s.db.make(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("create store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// Under implements store.Store.
func (s *Store) Under(prefix string) {
	s.db.prefix = prefix
	s.db.made.Store(false)
}

// Describe names the file.
func (s *Store) Describe() string { return "sqlite:" + s.path }

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// asExists turns the database's word for a taken id into ErrExists.
func asExists(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) &&
		(e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey || e.ExtendedCode == sqlite3.ErrConstraintUnique) {
		return store.ErrExists
	}
	return err
}

// one turns an update that hit no row into ErrConflict.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// querier is a database, or the sql.DB of it, whose statements are those of an application.
type querier interface {
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

// collect scans every row of a query.
func collect[T any](
	ctx context.Context, db querier, scan func(*sql.Rows) (T, error), query string, args ...any,
) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
