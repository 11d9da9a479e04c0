package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Census implements store.Envelopes.
func (s *Store) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	places, err := s.locate(ctx, cat)
	if err != nil {
		return nil, err
	}
	var out []store.Count
	for _, l := range places {
		count := s.count
		if l.json != "" {
			count = s.countInJSON
		}
		counts, err := count(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", l, err)
		}
		for _, v := range slices.Sorted(maps.Keys(counts)) {
			out = append(out, store.Count{Place: l.Place, Version: v, N: counts[v]})
		}
	}
	return out, nil
}

// count counts the envelopes of a place version by version, each in one reading:
// grouping them would sort them all, in memory that grows with the store.
func (s *Store) count(ctx context.Context, l located) (map[kek.Version]int, error) {
	query := fmt.Sprintf(`SELECT %s v FROM %s WHERE %s`, l.version(), quote(l.Collection), l.there())
	if l.Outer != "" {
		query += fmt.Sprintf(` UNION ALL SELECT %[4]s FROM %[2]s WHERE %[3]s AND %[4]s <> %[1]s`,
			l.version(), quote(l.Collection), l.there(), outer(l.Outer))
	}
	query = `SELECT count(*) FILTER (WHERE v = ?1), min(v) FILTER (WHERE v > ?1) FROM (` + query + `)`
	counts := map[kek.Version]int{}
	for at := int64(-1); ; {
		var n int
		var next sql.NullInt64
		if err := s.db.DB.QueryRowContext(ctx, query, at).Scan(&n, &next); err != nil {
			return nil, err
		}
		if n > 0 {
			counts[kek.Version(at)] = n
		}
		if !next.Valid {
			return counts, nil
		}
		at = next.Int64
	}
}

// countInJSON reads the column of every record.
func (s *Store) countInJSON(ctx context.Context, l located) (map[kek.Version]int, error) {
	counts := map[kek.Version]int{}
	err := s.every(ctx, l.Collection, l.Outer, []located{l}, func(d store.Document) error {
		for _, h := range d.Envelopes {
			counts[h.Version]++
			if l.Outer != "" && d.Version != h.Version {
				counts[d.Version]++
			}
		}
		return nil
	})
	return counts, err
}

// Every implements store.Envelopes.
func (s *Store) Every(ctx context.Context, c envelope.Collection, visit func(store.Document) error) error {
	places, err := s.locate(ctx, c.Places)
	if err != nil || len(places) == 0 {
		return err
	}
	for i := range places {
		places[i] = places[i].withPayloads(c.Payloads)
	}
	if err := s.every(ctx, c.Name, c.Outer, places, visit); err != nil {
		return fmt.Errorf("read %s: %w", c.Name, err)
	}
	return nil
}

// every reads the records of a table that have something at one of some places.
func (s *Store) every(
	ctx context.Context, table, outer string, places []located, visit func(store.Document) error,
) error {
	there := make([]string, len(places))
	for i, l := range places {
		there[i] = l.there()
	}
	return s.read(ctx, places, visit, fmt.Sprintf(`SELECT %s FROM %s WHERE %s`, selected(outer, places),
		quote(table), strings.Join(there, " OR ")))
}
