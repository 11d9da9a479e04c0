package sqlite

import (
	"context"
	"database/sql"
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

// OtherLock implements store.Theirs.
func (s *Store) OtherLock(ctx context.Context) (l store.Lock, name string, err error) {
	names, err := collect(ctx, s.db, func(r *sql.Rows) (name string, err error) {
		err = r.Scan(&name)
		return name, err
	}, `SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND m.name LIKE '%\_install' ESCAPE '\' AND m.name <> ?
		AND (SELECT count(*) FROM pragma_table_info(m.name)
			WHERE name IN ('id', 'provider', 'chain', 'ceremony', 'roster')) = 5`, s.db.name("kek_install"))
	for _, name := range names {
		var chain kek.Chain
		query := `SELECT coalesce(max(CAST(chain AS TEXT)), '') FROM ` + quote(name)
		if err := s.db.DB.QueryRowContext(ctx, query).Scan(&chain); err != nil {
			return l, name, fmt.Errorf("read %s: %w", name, err)
		}
		if l, err := (store.Lock{Chain: chain}).Ours(); err == nil {
			return l, name, nil
		}
	}
	if err == nil {
		err = store.ErrNotFound
	}
	return l, "", fmt.Errorf("look for another lock: %w", err)
}

// Occupied implements store.Theirs.
func (s *Store) Occupied(ctx context.Context) (string, error) {
	for _, table := range []string{"kek_events", "kek_refusals", "process_heartbeats"} {
		name, some := s.db.name(table), false
		err := s.db.DB.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?)`, name).Scan(&some)
		if err == nil && some {
			err = s.db.DB.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+quote(name)+`)`).Scan(&some)
		}
		if err != nil {
			return "", fmt.Errorf("look at %s: %w", name, err)
		}
		if some {
			return name, nil
		}
	}
	return "", nil
}
