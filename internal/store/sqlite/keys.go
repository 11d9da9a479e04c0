package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Lock implements store.Keys.
func (s *Store) Lock(ctx context.Context) (store.Lock, error) {
	var l store.Lock
	err := s.db.QueryRowContext(ctx, `SELECT provider, chain, ceremony, roster FROM kek_install`).
		Scan(&l.Provider, &l.Chain, &l.Ceremony, &l.Roster)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return l, fmt.Errorf("read kek_install: %w", err)
	}
	return l.Read()
}

// InsertLock implements store.Keys.
func (s *Store) InsertLock(ctx context.Context, l store.Lock) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO kek_install VALUES ('singleton', ?, ?, ?, ?)`,
		l.Provider, string(l.Chain), l.Ceremony, l.Roster)
	if err != nil {
		return fmt.Errorf("insert kek_install: %w", asExists(err))
	}
	return nil
}

// KEKs implements store.Keys.
func (s *Store) KEKs(ctx context.Context) ([]store.KEK, error) {
	keks, err := collect(ctx, s.db, func(r *sql.Rows) (k store.KEK, err error) {
		var created string
		if err = r.Scan(&k.Version, &k.Provider, &k.State, &k.Label, &k.ID,
			&k.Canary.Wrapped, &k.Canary.SHA256, &k.Ceremony, &created, &k.Bound); err == nil {
			k.Created, err = time.Parse(time.RFC3339, created)
		}
		return k, err
	}, `SELECT id, provider, state, label, key_id, canary_wrapped, canary_sha256, ceremony, created, `+
		`bound = 1 FROM kek_versions ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read kek_versions: %w", err)
	}
	return keks, nil
}

// InsertKEK implements store.Keys.
func (s *Store) InsertKEK(ctx context.Context, k store.KEK) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO kek_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int(k.Version), k.Provider, string(k.State), k.Label, k.ID,
		k.Canary.Wrapped, k.Canary.SHA256, k.Ceremony, k.Created.UTC().Format(time.RFC3339), k.Bound)
	if err != nil {
		return fmt.Errorf("insert version %d: %w", k.Version, asExists(err))
	}
	return nil
}

// MoveKEK implements store.Keys.
func (s *Store) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	if err := store.CheckMove(v, from, to); err != nil {
		return err
	}
	err := one(s.db.ExecContext(ctx, `UPDATE kek_versions SET state = ? WHERE id = ? AND state = ?`,
		string(to), int(v), string(from)))
	if err != nil {
		return fmt.Errorf("move version %d from %s to %s: %w", v, from, to, err)
	}
	return nil
}

// Active implements store.Keys.
func (s *Store) Active(ctx context.Context) (store.Active, error) {
	var a store.Active
	err := s.db.QueryRowContext(ctx, `SELECT version, epoch FROM kek_active`).Scan(&a.Version, &a.Epoch)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return a, fmt.Errorf("read the active version: %w", err)
	}
	return a, nil
}

// MoveActive implements store.Keys.
func (s *Store) MoveActive(ctx context.Context, from, to store.Active) error {
	var err error
	if from == (store.Active{}) {
		_, err = s.db.ExecContext(ctx, `INSERT INTO kek_active VALUES ('active', ?, ?)`, int(to.Version), to.Epoch)
		if errors.Is(asExists(err), store.ErrExists) {
			err = store.ErrConflict
		}
	} else {
		err = one(s.db.ExecContext(ctx, `UPDATE kek_active SET version = ?, epoch = ? WHERE version = ? AND epoch = ?`,
			int(to.Version), to.Epoch, int(from.Version), from.Epoch))
	}
	if err != nil {
		return fmt.Errorf("move the active version from %d to %d: %w", from.Version, to.Version, err)
	}
	return nil
}

// ReserveWraps implements store.Keys.
func (s *Store) ReserveWraps(ctx context.Context, v kek.Version, n int) (total kek.Wraps, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	err = s.db.QueryRowContext(ctx, `INSERT INTO kek_wraps VALUES (?, ?)
		ON CONFLICT (id) DO UPDATE SET reserved = reserved + excluded.reserved RETURNING reserved`, int(v), n).Scan(&total)
	if err != nil {
		return 0, fmt.Errorf("count wraps of version %d: %w", v, err)
	}
	return total, nil
}

// Wraps implements store.Keys.
func (s *Store) Wraps(ctx context.Context) (map[kek.Version]kek.Wraps, error) {
	all := map[kek.Version]kek.Wraps{}
	_, err := collect(ctx, s.db, func(r *sql.Rows) (v kek.Version, err error) {
		var n kek.Wraps
		err = r.Scan(&v, &n)
		all[v] = n
		return v, err
	}, `SELECT id, reserved FROM kek_wraps`)
	if err != nil {
		return nil, fmt.Errorf("read kek_wraps: %w", err)
	}
	return all, nil
}
