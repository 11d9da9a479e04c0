package mongo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Census implements store.Envelopes.
func (s *Store) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	if err := s.readable(ctx, cat); err != nil {
		return nil, err
	}
	places := make([]counted, len(cat))
	err := s.bulks.allAtOnce(len(cat), func(i int) (err error) {
		places[i], err = s.countAt(ctx, cat[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []store.Count
	for i, p := range cat {
		for _, v := range slices.Sorted(maps.Keys(places[i].n)) {
			out = append(out, store.Count{Place: p, Version: v, N: places[i].n[v]})
		}
	}
	return out, nil
}

func (s *Store) countAt(ctx context.Context, p envelope.Place) (counted, error) {
	count := s.countOnServer
	if p.HasArrays() {
		count = s.countInArrays
	}
	counts, err := count(ctx, p, bson.A{there(p), covered(p)})
	if err == nil && counts.odd {
		if err = s.uncovered(ctx, p); err == nil {
			counts, err = count(ctx, p, bson.A{there(p)})
		}
	}
	if err != nil {
		return counts, fmt.Errorf("count %s: %w", p, err)
	}
	return counts, nil
}

// Every implements store.Envelopes.
func (s *Store) Every(ctx context.Context, c envelope.Collection, visit func(store.Document) error) error {
	if err := s.readable(ctx, c.Places); err != nil {
		return err
	}
	var any bson.A
	for _, p := range c.Places {
		any = append(any, there(p))
	}
	q := query{collection: c.Name, filter: bson.D{{Key: "$or", Value: any}}, fields: projection(c)}
	err := s.walk(ctx, q, func(raw bson.Raw) error {
		return visit(document(raw, c))
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", c.Name, err)
	}
	return nil
}

// Strangers implements store.Envelopes.
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Place, error) {
	if err := s.readable(ctx, cat); err != nil {
		return nil, err
	}
	places := map[envelope.Place]bool{}
	search := searchFor(cat)
	err := s.Scan(ctx, func(collection string, record envelope.Tree) error {
		search.look(collection, record.(tree), func(path string) { places[envelope.At(collection, path)] = true })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for envelopes: %w", err)
	}
	return envelope.Catalogue(slices.Collect(maps.Keys(places))).With(), nil
}

// Scan implements store.Envelopes.
func (s *Store) Scan(ctx context.Context, record func(collection string, record envelope.Tree) error) error {
	specs, err := s.collections(ctx)
	if err != nil {
		return fmt.Errorf("list collections: %w", err)
	}
	for _, c := range specs {
		if c.Type == "view" || s.ours(c.Name) { // a view shows what another collection holds
			continue
		}
		read := s.regular
		if c.Type == "timeseries" {
			read = s.series
		}
		err := read(ctx, c, func(raw bson.Raw) error {
			return record(c.Name, tree{bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}})
		})
		if err != nil {
			return fmt.Errorf("scan %s: %w", c.Name, err)
		}
	}
	return nil
}

// regular reads the records of a collection that is no time series.
func (s *Store) regular(ctx context.Context, c driver.CollectionSpecification, visit func(bson.Raw) error) error {
	return s.walk(ctx, query{collection: c.Name}, visit)
}

// ours are the collections in which no application keeps records.
func (s *Store) ours(name string) bool {
	own := func(o string) bool { return s.own(o) == name }
	return strings.HasPrefix(name, "system.") ||
		slices.ContainsFunc([]string{install, versions, wraps, ceremonies, events, voids, refusals, heartbeats}, own)
}
