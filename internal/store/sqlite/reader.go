package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// reader makes records of rows with the columns of selected. It makes room for many at once, and gets the values
// from SQLite's driver itself: package database/sql copies each. This driver makes new values for each row, so
// that they may be kept (another driver need not: database/sql/driver, Rows).
type reader struct {
	places []located
	values int // of a record, beside its id and versions

	// room that is left
	parts []part
	room  []any
	held  []store.Held
}

// manyRecords are those that room is made for at once.
const manyRecords = 64

// read visits each record that a query with the columns of selected finds. A visit that returns an error is the last
// one.
func (s *Store) read(
	ctx context.Context, places []located, visit func(store.Document) error, query string, args ...any,
) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		rows, err := c.(*sqlite3.SQLiteConn).QueryContext(ctx, query, named(nil, args))
		if err != nil {
			return err
		}
		return visitAll(rows, places, visit)
	})
}

// named are values in the order of a statement, as SQLite's driver wants them, after those that there are.
func named(all []driver.NamedValue, values []any) []driver.NamedValue {
	for _, v := range values {
		all = append(all, driver.NamedValue{Ordinal: 1 + len(all), Value: v})
	}
	return all
}

// visitAll visits the record of each row, and closes the rows.
func visitAll(rows driver.Rows, places []located, visit func(store.Document) error) error {
	defer rows.Close()
	r := reader{places: places}
	for i := range places {
		r.values += len(places[i].names.read) + places[i].names.payload
	}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var d store.Document
		if err == nil {
			d, err = r.document(row)
		}
		if err == nil {
			err = visit(d)
		}
		if err != nil {
			return err
		}
	}
}

// record is a row.
func (r *reader) record(row []driver.Value) (rec record, err error) {
	rec.id = row[0]
	rec.version, err = versionIn(row[1])
	rec.places = take(&r.parts, len(r.places))
	values := take(&r.room, r.values)
	row = row[2:]
	next := func(n int) (some []any) {
		some, values = values[:n:n], values[n:]
		for i := range some {
			some[i] = row[i]
		}
		row = row[n:]
		return some
	}
	for i := range rec.places {
		p, l := &rec.places[i], &r.places[i]
		p.located = l
		if l.json == "" && err == nil {
			p.version, err = versionIn(row[0])
			row = row[1:]
		}
		p.read, p.payload = next(len(l.names.read)), next(l.names.payload)
	}
	return rec, err
}

// document is a row as the re-wrap sees it.
func (r *reader) document(row []driver.Value) (store.Document, error) {
	rec, err := r.record(row)
	if err != nil {
		return store.Document{}, err
	}
	return rec.document(take(&r.held, len(r.places))[:0]), nil
}

// take is room for n values, and none beyond them.
func take[T any](room *[]T, n int) []T {
	if len(*room) < n {
		*room = make([]T, manyRecords*n)
	}
	some := (*room)[:n:n]
	*room = (*room)[n:]
	return some
}

// versionIn is what the SQL of version gave.
func versionIn(v driver.Value) (kek.Version, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("a version is a %T", v)
	}
	return kek.Version(n), nil
}
