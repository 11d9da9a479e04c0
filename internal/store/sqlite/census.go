package sqlite

import (
	"cmp"
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
// grouping them would sort them all, in memory that grows with the store. Most stores have one version, which is
// found with its number. An outer version that is another one than the envelope's counts beside it.
func (s *Store) count(ctx context.Context, l located) (map[kek.Version]int, error) {
	counts := map[kek.Version]int{}
	rows := fmt.Sprintf(`(SELECT %s v, %s o FROM %s WHERE %s LIMIT -1)`, // LIMIT: what v and o are is found once for a row
		l.version(), cmp.Or(outerOf(l), "NULL"), quote(l.Collection), l.there())
	var n int
	var next, last sql.NullInt64
	err := s.db.DB.QueryRowContext(ctx, `SELECT count(*), min(min(v, ifnull(o, v))), max(max(v, ifnull(o, v))) FROM `+
		rows).Scan(&n, &next, &last)
	if err != nil || !next.Valid {
		return counts, err
	}
	if next == last {
		counts[kek.Version(next.Int64)] = n
		return counts, nil
	}
	query := `SELECT count(*) FILTER (WHERE v = ?1) + count(*) FILTER (WHERE o = ?1 AND o <> v),
		min(min(v, ifnull(o, v))) FILTER (WHERE min(v, ifnull(o, v)) > ?1), min(max(v, ifnull(o, v)))
		FILTER (WHERE max(v, ifnull(o, v)) > ?1) FROM ` + rows
	for next.Valid {
		at := next.Int64
		var another sql.NullInt64
		if err := s.db.DB.QueryRowContext(ctx, query, at).Scan(&n, &next, &another); err != nil {
			return nil, err
		}
		if n > 0 {
			counts[kek.Version(at)] = n
		}
		if another.Valid && (!next.Valid || another.Int64 < next.Int64) {
			next = another
		}
	}
	return counts, nil
}

// outerOf is what a record's outer version says; empty: there is none.
func outerOf(l located) string {
	if l.Outer == "" {
		return ""
	}
	return outer(l.Outer)
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
