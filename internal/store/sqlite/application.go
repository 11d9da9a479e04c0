package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// CreateCollection makes an application's table for c. Ceremonies never call
// it, Put or Get: they are for rehearsals, tests and applications, and know the standard form alone.
func (s *Store) CreateCollection(ctx context.Context, c envelope.Collection) error {
	cols := []string{"id NOT NULL PRIMARY KEY", "kek_version INTEGER"}
	for _, p := range c.Places {
		f := p.Path
		cols = append(cols, f+"_wrapped_dek BLOB", f+"_nonce BLOB", f+"_ciphertext BLOB", f+"_kek_version INTEGER",
			f+"_provider TEXT")
	}
	_, err := s.db.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (%s)`, c.Name, strings.Join(cols, ", ")))
	if err != nil {
		return fmt.Errorf("create %s: %w", c.Name, err)
	}
	return nil
}

// Put writes whole envelopes, as an application does, in one transaction.
func (s *Store) Put(ctx context.Context, f envelope.Place, records map[string]envelope.Envelope) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, fmt.Sprintf(
			`INSERT INTO %[1]s (id, kek_version, %[2]s_wrapped_dek, %[2]s_nonce, %[2]s_ciphertext, `+
				`%[2]s_kek_version, %[2]s_provider)
			 VALUES (?1, ?2, ?3, ?4, ?5, ?2, ?6)
			 ON CONFLICT (id) DO UPDATE SET kek_version = ?2, %[2]s_wrapped_dek = ?3, %[2]s_nonce = ?4, %[2]s_ciphertext = ?5,
			 %[2]s_kek_version = ?2, %[2]s_provider = ?6`, f.Collection, f.Path))
		if err != nil {
			return err
		}
		for id, e := range records {
			_, err := stmt.ExecContext(ctx, id, int(e.KEKVersion), e.WrappedDEK, e.Nonce, e.Ciphertext, e.Provider)
			if err != nil {
				return fmt.Errorf("put %s/%s: %w", f, id, err)
			}
		}
		return nil
	})
}

// Get reads one whole envelope, as an application does.
func (s *Store) Get(ctx context.Context, f envelope.Place, id string) (envelope.Envelope, error) {
	var e envelope.Envelope
	err := s.db.QueryRowContext(ctx, fmt.Sprintf(
		`SELECT %[2]s_wrapped_dek, %[2]s_nonce, %[2]s_ciphertext, %[2]s_kek_version, %[2]s_provider FROM %[1]s WHERE id = ?`,
		f.Collection, f.Path), id).Scan(&e.WrappedDEK, &e.Nonce, &e.Ciphertext, &e.KEKVersion, &e.Provider)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return e, fmt.Errorf("get %s/%s: %w", f, id, err)
	}
	return e, nil
}
