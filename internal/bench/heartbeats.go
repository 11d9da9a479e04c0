package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
)

// stopped is how many processes once sent heartbeats.
const stopped = 10_000

// heartbeats reports what the rows of stopped processes cost a rotation.
func (l lab) heartbeats(ctx context.Context, w io.Writer) error {
	const n = 100_000
	parts, err := l.installed(ctx, "env", "heartbeats")
	if err != nil {
		return err
	}
	if err := write(ctx, parts, "env", n); err != nil {
		return err
	}
	stop, err := l.agent(ctx, parts)
	if err != nil {
		return err
	}
	var shares []float64
	for i := range pairs {
		var r rotated
		without, err := l.rotate(ctx, parts, &r, 2+2*i)
		if err == nil {
			err = inStore(ctx, parts.Store(), fmt.Sprintf(`WITH RECURSIVE k(i) AS
				(SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < %d)
				INSERT INTO process_heartbeats SELECT 'stopped-' || i, '2020-01-01T00:00:00.000Z', beat
				FROM k, (SELECT beat FROM process_heartbeats LIMIT 1)`, stopped))
		}
		with := without
		if err == nil {
			with, err = l.rotate(ctx, parts, &r, 3+2*i)
		}
		if err == nil {
			err = inStore(ctx, parts.Store(), `DELETE FROM process_heartbeats WHERE id LIKE 'stopped-%'`)
		}
		if err != nil {
			return errors.Join(err, stop())
		}
		shares = append(shares, without.Seconds()/with.Seconds())
	}
	share := median(shares)
	_, err = fmt.Fprintf(w, `
## Rows of stopped processes

A rotation of %d envelopes with provider env, in a store without rows of stopped processes
and with %d, in turn, %d times: the second reaches %.2f of the rate of the first (median).
Target: at least 0.90, %s.
`, n, stopped, pairs, share, met(share >= 0.9))
	return errors.Join(err, stop())
}

func inStore(ctx context.Context, path, statement string) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_busy_timeout=10000")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
