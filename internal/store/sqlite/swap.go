package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Swap implements store.Envelopes.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	done := make([]bool, len(swaps))
	steady := context.WithoutCancel(ctx) // with one that ends, the driver starts a goroutine for each statement
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		w := writer{tx: tx, c: c, statements: map[string]*sql.Stmt{}, u: updateOf(c)}
		defer w.close()
		for i, sw := range swaps {
			err := ctx.Err()
			if err == nil {
				done[i], err = w.swap(steady, sw)
			}
			if err != nil {
				return err
			}
		}
		return nil
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
// which is prepared once.
type writer struct {
	tx         *sql.Tx
	c          envelope.Collection
	statements map[string]*sql.Stmt // by their text
	u          update
}

func (w *writer) swap(ctx context.Context, sw store.Swap) (bool, error) {
	if err := w.u.spell(sw); err != nil {
		return false, err
	}
	stmt, err := w.prepare(ctx, w.u.query)
	if err != nil {
		return false, err
	}
	res, err := stmt.ExecContext(ctx, w.u.args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 1 && writesText(sw) {
		err = w.kept(ctx, sw)
	}
	return n == 1, err
}

func (w *writer) prepare(ctx context.Context, query []byte) (*sql.Stmt, error) {
	stmt, ok := w.statements[string(query)]
	if !ok {
		var err error
		if stmt, err = w.tx.PrepareContext(ctx, string(query)); err != nil {
			return nil, err
		}
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
func writesText(sw store.Swap) bool {
	return slices.ContainsFunc(sw.Old.Read.([]part), func(p part) bool { return p.Bytes != envelope.Binary })
}

// kept demands that a record has what was written: the type of a column makes a number of text
// that looks like one.
func (w *writer) kept(ctx context.Context, sw store.Swap) error {
	var places []located
	for _, read := range sw.Old.Read.([]part) {
		places = append(places, *read.located)
	}
	stmt, err := w.prepare(ctx, fmt.Appendf(nil, "SELECT %s FROM %s WHERE id = ?", selected(w.c.Outer, places),
		quote(w.c.Name)))
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, sw.Old.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRecord(rows, places)
		if err != nil {
			return err
		}
		d := r.document()
		lacks := func(n store.Held) bool { return !d.Has(n) }
		if w.c.Outer != "" && d.Version != sw.To || slices.ContainsFunc(sw.New, lacks) {
			return fmt.Errorf("record %v: the table does not keep what is written: a column's type changes it",
				sw.Old.ID)
		}
	}
	return rows.Err()
}

func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
