package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Swap implements store.Envelopes.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	done := make([]bool, len(swaps))
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		p := prepared{tx, map[string]*sql.Stmt{}}
		defer p.close()
		for i, sw := range swaps {
			query, args, err := swapQuery(c, sw)
			if err != nil {
				return err
			}
			stmt, err := p.prepare(ctx, query)
			if err != nil {
				return err
			}
			res, err := stmt.ExecContext(ctx, args...)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			if done[i] = n == 1; done[i] && writesText(sw) {
				if err := kept(ctx, p, c, sw); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("swap envelopes of %s: %w", c.Name, err)
	}
	return done, nil
}

// prepared are the statements of a transaction, by their text.
type prepared struct {
	tx  *sql.Tx
	all map[string]*sql.Stmt
}

func (p prepared) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, ok := p.all[query]
	if !ok {
		var err error
		if stmt, err = p.tx.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		p.all[query] = stmt
	}
	return stmt, nil
}

func (p prepared) close() {
	for _, stmt := range p.all {
		stmt.Close()
	}
}

// writesText reports whether a swap writes anything but bytes, which a column keeps whatever its type.
func writesText(sw store.Swap) bool {
	return slices.ContainsFunc(sw.Old.Read.([]part), func(p part) bool { return p.Bytes != envelope.Binary })
}

// kept demands that a record has what was written: the type of a column makes a number of text
// that looks like one.
func kept(ctx context.Context, p prepared, c envelope.Collection, sw store.Swap) error {
	var places []located
	for _, read := range sw.Old.Read.([]part) {
		places = append(places, read.located)
	}
	stmt, err := p.prepare(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE id = ?", selected(c.Outer, places), quote(c.Name)))
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
		if c.Outer != "" && d.Version != sw.To || slices.ContainsFunc(sw.New, lacks) {
			return fmt.Errorf("record %v: the table does not keep what is written: a column's type changes it",
				sw.Old.ID)
		}
	}
	return rows.Err()
}

// update is a statement in the making.
type update struct {
	set, where       []string
	setTo, whereArgs []any
	json             map[string]*change // by column
}

// change is what is set in a column of JSON, which stays text or bytes.
type change struct {
	isText bool
	sets   string
	values []any
}

func (u *update) assign(what string, values ...any) {
	u.set, u.setTo = append(u.set, what), append(u.setTo, values...)
}

func (u *update) demand(what string, values ...any) {
	u.where, u.whereArgs = append(u.where, what), append(u.whereArgs, values...)
}

// swapQuery spells the compare-and-swap of design section 4. Every column that was read must
// still be what it was; a column of JSON as a whole.
func swapQuery(c envelope.Collection, sw store.Swap) (string, []any, error) {
	u := update{json: map[string]*change{}}
	u.demand("id = ?", sw.Old.ID)
	if c.Outer != "" {
		u.assign(quote(c.Outer)+" = ?", int(sw.To))
		u.demand(outer(c.Outer)+" = ?", int(sw.Old.Version))
	}
	for _, p := range sw.Old.Read.([]part) {
		if err := p.same(sw.Old); err != nil {
			return "", nil, fmt.Errorf("record %v: %w", sw.Old.ID, err)
		}
		p.unchanged(&u)
		for _, n := range sw.New {
			if envelope.PlaceOf(n.Path) != p.Path {
				continue
			}
			if err := p.renew(&u, n); err != nil {
				return "", nil, fmt.Errorf("record %v: %s: %w", sw.Old.ID, n.Path, err)
			}
		}
	}
	for _, column := range slices.Sorted(maps.Keys(u.json)) {
		c := u.json[column]
		to := "json_set(" + quote(column) + c.sets + ")"
		if !c.isText {
			to = "CAST(json_set(CAST(" + quote(column) + " AS TEXT)" + c.sets + ") AS BLOB)"
		}
		u.assign(quote(column)+" = "+to, c.values...)
	}
	query := fmt.Sprintf("UPDATE %s SET %s WHERE %s", quote(c.Name), strings.Join(u.set, ", "),
		strings.Join(u.where, " AND "))
	return query, append(u.setTo, u.whereArgs...), nil
}

// unchanged demands what was read at a place.
func (p part) unchanged(u *update) {
	for i, column := range p.located.read() {
		u.demand(column+" COLLATE BINARY IS ?", p.read[i])
	}
	if p.json == "" && p.read[0] != nil {
		u.demand(p.located.version()+" = ?", int(p.version))
	}
}

// renew sets what is new of an envelope at a place.
func (p part) renew(u *update, n store.Held) error {
	values, err := p.Write(n.WrappedDEK)
	if err != nil {
		return err
	}
	names := append(p.Wrapped(), p.Parts.KEKVersion)
	values = append(values, int(n.Version))
	if p.json == "" {
		for i, v := range values {
			if i < len(p.read) && p.Bytes != envelope.Binary { // text that was kept as bytes stays so
				_, wasBytes := p.read[i].([]byte)
				v = as(wasBytes, v)
			}
			u.assign(p.column(names[i])+" = ?", v)
		}
		return nil
	}
	c := u.json[p.json]
	if c == nil {
		_, isText := p.read[0].(string)
		c = &change{isText: isText}
		u.json[p.json] = c
	}
	for i, v := range values {
		c.sets += ", '$" + strings.TrimPrefix(n.Path, p.json) + "." + names[i] + "', ?"
		c.values = append(c.values, v)
	}
	return nil
}

func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
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
