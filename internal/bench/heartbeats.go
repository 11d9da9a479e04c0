package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"
)

// stopped is how many processes once sent heartbeats.
const stopped = 10_000

// heartbeatPairs is how often a rotation beside their rows and one without them take turns.
const heartbeatPairs = 5

// heartbeats reports what the rows of stopped processes cost a rotation.
func (l lab) heartbeats(ctx context.Context, w io.Writer) error {
	const n = 200_000
	r, err := l.rotating(ctx, "env", "heartbeats", n)
	if err != nil {
		return err
	}
	defer r.stop()
	// A store's first rotation meets no fence; all that are measured write through one.
	if _, err := r.once(ctx, l.rotate, &rotated{}); err != nil {
		return err
	}
	var shares []float64
	for i := range heartbeatPairs {
		var took [2]time.Duration // without the rows, with them
		for turn := range took {
			with := (turn + i) % 2 // each begins as often
			statement := `DELETE FROM process_heartbeats WHERE id LIKE 'stopped-%'`
			if with == 1 {
				statement = fmt.Sprintf(`WITH RECURSIVE k(i) AS
					(SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < %d)
					INSERT INTO process_heartbeats SELECT 'stopped-' || i, '2020-01-01T00:00:00.000Z', beat
					FROM k, (SELECT beat FROM process_heartbeats LIMIT 1)`, stopped)
			}
			err := inStore(ctx, r.parts.Store(), statement)
			if err == nil {
				took[with], err = r.once(ctx, l.rotate, &rotated{})
			}
			if err != nil {
				return err
			}
		}
		shares = append(shares, took[0].Seconds()/took[1].Seconds())
	}
	share := median(shares)
	_, err = fmt.Fprintf(w, `
## Rows of stopped processes

A rotation of %d envelopes with provider env, in a store without rows of stopped processes
and with %d, in turn, %d times: the second reaches %.2f of the rate of the first (median; the
pairs reach from %.2f to %.2f). Target: at least 0.90, %s.
`, n, stopped, heartbeatPairs, share, shares[0], shares[len(shares)-1], met(share >= 0.9))
	return err
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
