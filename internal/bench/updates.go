package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver itself: no store of ours

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// rawUpdates is the raw loop on the store: it reads the ids of each table and
// writes a wrapped DEK and the two versions of each record, which are at a version, a thousand to a
// transaction, durable as ours. It does so in a copy of the file, and returns updates per second.
func rawUpdates(ctx context.Context, store string, n, version int) (float64, error) {
	ctx = context.WithoutCancel(ctx) // for one that can end, the driver starts a goroutine for each row and statement
	db, closeCopy, err := copied(ctx, store)
	if err != nil {
		return 0, err
	}
	defer closeCopy()
	wrapped := make([]byte, 60)
	began := time.Now()
	for _, p := range envelope.DefaultCatalogue() {
		ids, err := idsOf(ctx, db, p.Collection)
		if err != nil {
			return 0, err
		}
		query := fmt.Sprintf(`UPDATE %[1]s SET kek_version = %[3]d, %[2]s_wrapped_dek = ?, %[2]s_kek_version = %[3]d
			WHERE id = ? AND kek_version = %[3]d AND %[2]s_kek_version = %[3]d`, p.Collection, p.Path, version)
		for len(ids) > 0 {
			some := ids[:min(1000, len(ids))]
			ids = ids[len(some):]
			if err := update(ctx, db, query, len(some), func(i int) []any { return []any{wrapped, some[i]} }); err != nil {
				return 0, err
			}
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// copied is a copy of a store's file, opened to be as durable as ours; the function deletes it.
func copied(ctx context.Context, store string) (*sql.DB, func(), error) {
	path, err := copyOf(ctx, store)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		removeStore(path)
		return nil, nil, err
	}
	return db, func() { db.Close(); removeStore(path) }, nil
}

func copyOf(ctx context.Context, store string) (string, error) {
	db, err := sql.Open("sqlite3", "file:"+store+"?mode=ro")
	if err != nil {
		return "", err
	}
	defer db.Close()
	path := store + ".copy"
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return path, err
}

func removeStore(path string) {
	for _, end := range []string{"", "-wal", "-shm"} {
		os.Remove(path + end) // some are not there
	}
}

func idsOf(ctx context.Context, db *sql.DB, table string) (ids []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id FROM "+table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// update has a statement done once for each of n, in one transaction.
func update(ctx context.Context, db *sql.DB, query string, n int, args func(i int) []any) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i := range n {
		if _, err := stmt.ExecContext(ctx, args(i)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}
