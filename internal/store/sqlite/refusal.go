package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Refuse implements store.Fleet.
func (s *Store) Refuse(ctx context.Context, process, role string, v kek.Version, epoch int) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO kek_refusals VALUES (?, ?, ?, ?, 1, `+now+`)
		ON CONFLICT (version, process) DO UPDATE SET epoch = max(epoch, excluded.epoch), count = count + 1,
			last = excluded.last`, int(v), process, role, epoch)
	if err != nil {
		return fmt.Errorf("record a refusal of version %d: %w", v, err)
	}
	return nil
}

// Refusals implements store.Fleet.
func (s *Store) Refusals(ctx context.Context, v kek.Version) ([]store.Refusal, error) {
	all, err := collect(ctx, s.db, func(r *sql.Rows) (f store.Refusal, err error) {
		var last string
		if err = r.Scan(&f.Process, &f.Role, &f.Epoch, &f.Count, &last); err == nil {
			f.Last, err = time.Parse(time.RFC3339Nano, last)
		}
		f.Version = v
		return f, err
	}, `SELECT process, role, epoch, count, last FROM kek_refusals WHERE version = ? ORDER BY epoch DESC, process LIMIT ?`,
		int(v), store.MaxRefusals)
	if err != nil {
		return nil, fmt.Errorf("read kek_refusals: %w", err)
	}
	return all, nil
}
