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

// Heartbeats implements store.Fleet.
func (s *Store) Heartbeats(ctx context.Context) ([]store.Heartbeat, error) {
	heartbeats, err := collect(ctx, s.db, func(r *sql.Rows) (b store.Heartbeat, err error) {
		var seen, data string
		if err = r.Scan(&seen, &data); err == nil {
			err = json.Unmarshal([]byte(data), &b)
		}
		if err == nil {
			b.Seen, err = time.Parse(time.RFC3339Nano, seen)
		}
		return b, err
	}, `SELECT seen, beat FROM process_heartbeats ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read process_heartbeats: %w", err)
	}
	return heartbeats, nil
}
