package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// fits is the condition that a record is the pointer's.
func fits(p store.Pointer) (where string, args []any) {
	conditions := []string{"1"}
	for _, name := range slices.Sorted(maps.Keys(p.Filter)) {
		conditions, args = append(conditions, quote(name)+" = ?"), append(args, p.Filter[name])
	}
	return strings.Join(conditions, " AND "), args
}

// TheirActive implements store.Theirs.
func (s *Store) TheirActive(ctx context.Context, p store.Pointer) (kek.Version, error) {
	where, args := fits(p)
	var n int
	var v kek.Version
	err := s.db.DB.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*), coalesce(max(%s), 0) FROM %s WHERE %s`,
		version(quote(p.Field)), quote(p.Collection), where), args...).Scan(&n, &v)
	switch {
	case err == nil && n == 0:
		err = store.ErrNotFound
	case err == nil && n > 1:
		err = fmt.Errorf("%d records: %w", n, store.ErrPointer)
	case err == nil && v == 0:
		err = store.ErrPointer
	}
	if err != nil {
		return 0, fmt.Errorf("read pointer %s: %w", p, err)
	}
	return v, nil
}

// MoveTheirActive implements store.Theirs.
func (s *Store) MoveTheirActive(ctx context.Context, p store.Pointer, from, to kek.Version) error {
	where, args := fits(p)
	statement := fmt.Sprintf(`UPDATE %s SET %s = ? WHERE %s AND %s = ?
		AND (SELECT count(*) FROM %[1]s WHERE %[3]s) = 1`, quote(p.Collection), quote(p.Field), where,
		version(quote(p.Field)))
	values := slices.Concat([]any{int(to)}, args, []any{int(from)}, args)
	if err := one(s.db.DB.ExecContext(ctx, statement, values...)); err != nil {
		return fmt.Errorf("move pointer %s from %d to %d: %w", p, from, to, err)
	}
	return nil
}

// PlainLock implements store.Theirs.
func (s *Store) PlainLock(ctx context.Context) (store.Lock, error) {
	var ours bool
	var l store.Lock
	err := s.db.DB.QueryRowContext(ctx, `SELECT count(*) = 5 FROM pragma_table_info('kek_install')
		WHERE name IN ('id', 'provider', 'chain', 'ceremony', 'roster')`).Scan(&ours)
	if err == nil && ours {
		err = s.db.DB.QueryRowContext(ctx, `SELECT provider, chain, ceremony, roster FROM kek_install LIMIT 1`).
			Scan(&l.Provider, &l.Chain, &l.Ceremony, &l.Roster)
	} else if err == nil {
		err = store.ErrNotFound
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return l, fmt.Errorf("read kek_install: %w", err)
	}
	return l.Plain()
}
