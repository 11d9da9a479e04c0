package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Page implements store.Envelopes. SQL finds the records that have something in columns that is
// due, or JSON in which something could be; what is due in that is found here, in more records at once
// while they are not due.
func (s *Store) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, after any, limit int,
) (docs []store.Document, err error) {
	places, err := s.locate(ctx, c.Places)
	if err != nil || len(places) == 0 {
		return nil, err
	}
	for i := range places {
		places[i] = places[i].withPayloads(c.Payloads)
		if places[i].json != "" { // all of the column is read, whatever is in it
			limit = min(limit, store.Candidates)
		}
	}
	for n := limit; len(docs) < limit; n = min(2*n, max(limit, store.Candidates)) {
		read := 0
		err := s.candidates(ctx, c, places, to, after, n, func(d store.Document) error {
			read, after = read+1, d.ID
			if d.Due(c, to) && len(docs) < limit {
				if docs == nil {
					docs = make([]store.Document, 0, limit)
				}
				docs = append(docs, d)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read a page of %s: %w", c.Name, err)
		}
		if read < n {
			break
		}
	}
	return docs, nil
}

// candidates visits at most limit records after an id that may have something due.
func (s *Store) candidates(
	ctx context.Context, c envelope.Collection, places []located, to kek.Version, after any, limit int,
	visit func(store.Document) error,
) error {
	var old []string
	for _, l := range places {
		condition := l.there()
		if l.json == "" {
			stale := l.version() + " <> ?1"
			if c.Outer != "" {
				stale += " OR " + outer(c.Outer) + " <> ?1"
			}
			condition = fmt.Sprintf("(%s AND (%s))", condition, stale)
		}
		old = append(old, condition)
	}
	from, args := "", []any{int64(to), int64(limit)}
	if after != nil { // not "?3 IS NULL OR ...": that would read the index from its start
		from, args = "id > ?3 AND", append(args, after)
	}
	// A NULL id is in no page: nothing can be swapped by it, and the census counts it.
	return s.read(ctx, places, visit,
		fmt.Sprintf(`SELECT %s FROM %s WHERE %s (%s) AND id IS NOT NULL AND ?1 = ?1 ORDER BY id LIMIT ?2`,
			selected(c.Outer, places), quote(c.Name), from, strings.Join(old, " OR ")), args...)
}
