package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
)

// record is one of the store's, whose data key the transit engine has wrapped.
type record struct {
	id   string
	item item
}

// withStore does with transit what a rotation does on SQLite: it rewraps the data key of each record of a copy of the
// store, which is given the engine's ciphertexts first. It returns envelopes per second.
func (t *transit) withStore(ctx context.Context, store string) (float64, error) {
	ctx = context.WithoutCancel(ctx) // as in rawUpdates
	db, closeCopy, err := copied(ctx, store)
	if err != nil {
		return 0, err
	}
	defer closeCopy()
	all := envelope.DefaultCatalogue()
	for _, p := range all {
		if _, err := t.table(ctx, db, p, 1001, "encrypt"); err != nil {
			return 0, err
		}
	}
	began, n := time.Now(), 0
	for _, p := range all {
		done, err := t.table(ctx, db, p, 1002, "rewrap")
		if err != nil {
			return 0, err
		}
		n += done
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// table reads the records of a table, has four clients encrypt or rewrap their data keys, and writes them at a version.
func (t *transit) table(ctx context.Context, db *sql.DB, p envelope.Place, version int, operation string) (int, error) {
	read, done := make(chan []record, 4), make(chan []record, 4)
	errs := make([]error, 5)
	go func() { errs[0] = allOf(ctx, db, p, operation, read); close(read) }()
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for some := range read {
				if errs[1+c] == nil {
					errs[1+c] = t.page(ctx, operation, some)
				}
				done <- some
			}
		})
	}
	go func() { clients.Wait(); close(done) }()
	query := fmt.Sprintf(`UPDATE %[1]s SET kek_version = ?, %[2]s_wrapped_dek = ?, %[2]s_kek_version = ?
		WHERE id = ? AND %[2]s_kek_version <> ?`, p.Collection, p.Path)
	n, wrote := 0, error(nil)
	for some := range done {
		if wrote == nil {
			wrote = update(ctx, db, query, len(some), func(i int) []any {
				return []any{version, []byte(some[i].item.Ciphertext), version, some[i].id, version}
			})
		}
		n += len(some)
	}
	return n, errors.Join(append(errs, wrote)...)
}

// page has one batch done.
func (t *transit) page(ctx context.Context, operation string, some []record) error {
	in := make([]item, len(some))
	for i, r := range some {
		in[i] = r.item
	}
	out, err := t.batch(ctx, operation, in)
	for i := range out {
		some[i].item = out[i]
	}
	return err
}

// allOf reads a table, a thousand records at a time.
func allOf(ctx context.Context, db *sql.DB, p envelope.Place, operation string, to chan<- []record) error {
	for last := ""; ; {
		some, err := pageAfter(ctx, db, p, operation, last)
		if err != nil || len(some) == 0 {
			return err
		}
		last = some[len(some)-1].id
		to <- some
	}
}

func pageAfter(ctx context.Context, db *sql.DB, p envelope.Place, operation, last string) (some []record, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT id, %s_wrapped_dek FROM %s WHERE id > ? ORDER BY id LIMIT 1000",
		p.Path, p.Collection), last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		var wrapped []byte
		if err := rows.Scan(&r.id, &wrapped); err != nil {
			return nil, err
		}
		if r.item = (item{Ciphertext: string(wrapped)}); operation == "encrypt" {
			r.item = item{Plaintext: wrapped[:32]} // any 32 bytes are a data key to it
		}
		some = append(some, r)
	}
	return some, rows.Err()
}
