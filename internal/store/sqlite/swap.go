package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Swap implements store.Envelopes.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	done := make([]bool, len(swaps))
	err := s.inConn(ctx, func(conn *sql.Conn, _ *sql.Tx) error {
		return conn.Raw(func(driver any) error {
			w := writer{
				conn: driver.(*sqlite3.SQLiteConn), c: c, u: updateOf(c), statements: map[string]*sqlite3.SQLiteStmt{},
			}
			defer w.close()
			return w.swapAll(ctx, swaps, done)
		})
	})
	if err != nil && ctx.Err() != nil { // the transaction was ended between two statements
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("swap envelopes of %s: %w", c.Name, err)
	}
	return done, nil
}

// writer swaps records of one collection in a transaction. Records of one shape have one statement,
// which is prepared once. It calls SQLite's driver itself: package database/sql takes as long for a statement as
// SQLite does for a record.
type writer struct {
	conn       *sqlite3.SQLiteConn
	c          envelope.Collection
	statements map[string]*sqlite3.SQLiteStmt // by their text
	u          update
}

func (w *writer) swapAll(ctx context.Context, swaps []store.Swap, done []bool) error {
	steady := context.WithoutCancel(ctx) // with one that ends, the driver starts a goroutine for each statement
	for i := range swaps {
		err := ctx.Err()
		if err == nil {
			done[i], err = w.swap(steady, &swaps[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) swap(ctx context.Context, sw *store.Swap) (bool, error) {
	if err := w.u.spell(sw); err != nil {
		return false, err
	}
	stmt, err := w.prepare(w.u.query)
	if err != nil {
		return false, err
	}
	res, err := stmt.ExecContext(ctx, w.u.args)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 1 && writesText(sw) {
		err = w.kept(ctx, sw)
	}
	return n == 1, err
}

func (w *writer) prepare(query []byte) (*sqlite3.SQLiteStmt, error) {
	stmt, ok := w.statements[string(query)]
	if !ok {
		made, err := w.conn.Prepare(string(query))
		if err != nil {
			return nil, err
		}
		stmt = made.(*sqlite3.SQLiteStmt)
		w.statements[string(query)] = stmt
	}
	return stmt, nil
}

func (w *writer) close() {
	for _, stmt := range w.statements {
		stmt.Close()
	}
}

// writesText reports whether a swap writes anything but bytes, which a column keeps whatever its type.
func writesText(sw *store.Swap) bool {
	return slices.ContainsFunc(sw.Old.Read.([]part), func(p part) bool { return p.Bytes != envelope.Binary })
}

// kept demands that a record has what was written: the type of a column makes a number of text
// that looks like one.
func (w *writer) kept(ctx context.Context, sw *store.Swap) error {
	var places []located
	for _, read := range sw.Old.Read.([]part) {
		places = append(places, *read.located)
	}
	stmt, err := w.prepare(fmt.Appendf(nil, "SELECT %s FROM %s WHERE id = ?", selected(w.c.Outer, places),
		quote(w.c.Name)))
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, named(nil, []any{sw.Old.ID}))
	if err != nil {
		return err
	}
	return visitAll(rows, places, func(d store.Document) error {
		lacks := func(n store.Held) bool { return !d.Has(n) }
		if w.c.Outer != "" && d.Version != sw.To || slices.ContainsFunc(sw.New, lacks) {
			return fmt.Errorf("record %v: the table does not keep what is written: a column's type changes it",
				sw.Old.ID)
		}
		return nil
	})
}

// inTx does something in a transaction.
func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	return s.inConn(ctx, func(_ *sql.Conn, tx *sql.Tx) error { return do(tx) })
}

// inConn is inTx, with the connection that the transaction is on.
func (s *Store) inConn(ctx context.Context, do func(*sql.Conn, *sql.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(conn, tx); err != nil {
		return err
	}
	return tx.Commit()
}
