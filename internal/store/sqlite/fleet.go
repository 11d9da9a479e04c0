package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/store"
)

// now is SQLite's clock with milliseconds, as RFC 3339.
const now = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`

// Now implements store.Fleet.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var text string
	if err := s.db.QueryRowContext(ctx, `SELECT `+now).Scan(&text); err != nil {
		return time.Time{}, fmt.Errorf("read the store's clock: %w", err)
	}
	return time.Parse(time.RFC3339Nano, text)
}

// Heartbeat implements store.Fleet.
func (s *Store) Heartbeat(ctx context.Context, b store.Heartbeat) error {
	b.Seen = time.Time{}
	data, err := json.Marshal(b)
	if err == nil {
		_, err = s.db.ExecContext(ctx, `INSERT INTO process_heartbeats VALUES (?, `+now+`, ?)
			ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, beat = excluded.beat`, b.Process, string(data))
	}
	if err != nil {
		return fmt.Errorf("write heartbeat of %s: %w", b.Process, err)
	}
	return nil
}

// liveHeartbeats reads the index of seen. Without the plus sign SQLite reads every row that was ever written, in the
// order of the ids.
const liveHeartbeats = `SELECT seen, beat FROM process_heartbeats WHERE seen >= ? ORDER BY +id`

// Heartbeats implements store.Fleet.
func (s *Store) Heartbeats(ctx context.Context, since time.Time) ([]store.Heartbeat, error) {
	all, err := collect(ctx, s.db, heartbeat, liveHeartbeats, stamp(since))
	if err != nil {
		return nil, fmt.Errorf("read process_heartbeats: %w", err)
	}
	return all, nil
}

// Silent implements store.Fleet.
func (s *Store) Silent(ctx context.Context, since time.Time, after string, limit int) ([]store.Heartbeat, error) {
	all, err := collect(ctx, s.db, heartbeat, `SELECT seen, beat FROM process_heartbeats
		WHERE seen < ? AND id > ? AND json_extract(beat, '$.Stopped') IS NOT 1 ORDER BY id LIMIT ?`,
		stamp(since), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read process_heartbeats: %w", err)
	}
	return all, nil
}

// Forget implements store.Fleet.
func (s *Store) Forget(ctx context.Context, since time.Time, but []string) (int, error) {
	if but == nil {
		but = []string{}
	}
	roles, err := json.Marshal(but)
	if err != nil {
		return 0, err
	}
	result, err := s.db.ExecContext(ctx, `DELETE FROM process_heartbeats WHERE seen < ?
		AND coalesce(json_extract(beat, '$.Role'), '') NOT IN (SELECT value FROM json_each(?))`, stamp(since), string(roles))
	if err != nil {
		return 0, fmt.Errorf("delete from process_heartbeats: %w", err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// stamp is a time as now writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// heartbeat reads a row of the time and the text.
func heartbeat(r *sql.Rows) (b store.Heartbeat, err error) {
	var seen, data string
	if err = r.Scan(&seen, &data); err == nil {
		err = json.Unmarshal([]byte(data), &b)
	}
	if err == nil {
		b.Seen, err = time.Parse(time.RFC3339Nano, seen)
	}
	return b, err
}
