package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/store"
)

// Ceremonies implements store.Log.
func (s *Store) Ceremonies(ctx context.Context) ([]store.Ceremony, error) {
	all, err := collect(ctx, s.db, func(r *sql.Rows) (c store.Ceremony, err error) {
		err = r.Scan(&c.Seq, &c.Kind, &c.Mode, &c.Bundle, &c.Outcome, &c.Head, &c.Final)
		return c, err
	}, `SELECT id, kind, mode, bundle, outcome, head, final FROM kek_ceremonies ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read kek_ceremonies: %w", err)
	}
	return all, nil
}

// OpenCeremony implements store.Log.
func (s *Store) OpenCeremony(ctx context.Context, c store.Ceremony) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO kek_ceremonies VALUES (?, ?, ?, ?, '', '', '')`,
		c.Seq, c.Kind, c.Mode, c.Bundle)
	if err != nil {
		return fmt.Errorf("open ceremony %d: %w", c.Seq, asExists(err))
	}
	return nil
}

// CloseCeremony implements store.Log.
func (s *Store) CloseCeremony(ctx context.Context, c store.Ceremony) error {
	err := one(s.db.ExecContext(ctx,
		`UPDATE kek_ceremonies SET outcome = ?1, head = ?2, final = ?3
		 WHERE id = ?4 AND (outcome = '' OR (outcome = ?1 AND head = ?2 AND final = ?3))`,
		c.Outcome, c.Head, c.Final, c.Seq))
	if err != nil {
		return fmt.Errorf("close ceremony %d: %w", c.Seq, err)
	}
	return nil
}

// AppendEntry implements store.Log.
func (s *Store) AppendEntry(ctx context.Context, e store.Entry) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO kek_events VALUES (?, ?, ?)`, e.Ceremony, e.Name, e.Data)
	if err != nil {
		return fmt.Errorf("append %d/%s to kek_events: %w", e.Ceremony, e.Name, asExists(err))
	}
	return nil
}

// Entries implements store.Log.
func (s *Store) Entries(ctx context.Context, ceremony int) ([]store.Entry, error) {
	all, err := collect(ctx, s.db, func(r *sql.Rows) (e store.Entry, err error) {
		err = r.Scan(&e.Ceremony, &e.Name, &e.Data)
		return e, err
	}, `SELECT ceremony, name, data FROM kek_events WHERE ceremony = ? ORDER BY name`, ceremony)
	if err != nil {
		return nil, fmt.Errorf("read kek_events of ceremony %d: %w", ceremony, err)
	}
	return all, nil
}
