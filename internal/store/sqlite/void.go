package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// copied is an entry as kek_void holds it: as text, so that people can read it.
type copied struct{ Name, Data string }

// Voids implements store.Log.
func (s *Store) Voids(ctx context.Context) ([]store.Void, error) {
	all, err := collect(ctx, s.db, readVoid, `SELECT id, ceremony, entries FROM kek_void ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read kek_void: %w", err)
	}
	return all, nil
}

func readVoid(r *sql.Rows) (v store.Void, err error) {
	var ceremony, entries string
	var all []copied
	if err = r.Scan(&v.Chain, &ceremony, &entries); err == nil {
		err = json.Unmarshal([]byte(ceremony), &v.Ceremony)
	}
	if err == nil {
		err = json.Unmarshal([]byte(entries), &all)
	}
	for _, e := range all {
		v.Entries = append(v.Entries, store.Entry{Ceremony: v.Ceremony.Seq, Name: e.Name, Data: []byte(e.Data)})
	}
	return v, err
}

// InsertVoid implements store.Log.
func (s *Store) InsertVoid(ctx context.Context, v store.Void) error {
	all := []copied{}
	for _, e := range v.Entries {
		all = append(all, copied{e.Name, string(e.Data)})
	}
	ceremony, err := json.Marshal(v.Ceremony)
	if err != nil {
		return err
	}
	entries, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, `INSERT INTO kek_void VALUES (?, ?, ?)`, string(v.Chain), string(ceremony),
		string(entries)); err != nil {
		return fmt.Errorf("insert void of chain %s: %w", v.Chain, asExists(err))
	}
	return nil
}

// DeleteVoid implements store.Log.
func (s *Store) DeleteVoid(ctx context.Context, chain kek.Chain) error {
	all, err := s.Voids(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(v store.Void) bool { return v.Chain == chain })
	if i < 0 {
		return fmt.Errorf("void of chain %s: %w", chain, store.ErrNotFound)
	}
	for _, e := range slices.Backward(all[i].Entries) {
		if _, err := s.db.ExecContext(ctx, `DELETE FROM kek_events WHERE ceremony = ? AND name = ? AND data = ?`,
			e.Ceremony, e.Name, e.Data); err != nil {
			return fmt.Errorf("delete %d/%s from kek_events: %w", e.Ceremony, e.Name, err)
		}
	}
	c := all[i].Ceremony
	_, err = s.db.ExecContext(ctx, `DELETE FROM kek_ceremonies WHERE id = ? AND kind = ? AND mode = ? AND bundle = ?
		AND outcome = ? AND head = ? AND final = ?`, c.Seq, c.Kind, c.Mode, c.Bundle, c.Outcome, c.Head, c.Final)
	if err != nil {
		return fmt.Errorf("delete ceremony %d: %w", c.Seq, err)
	}
	return nil
}
