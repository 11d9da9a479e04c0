package mongo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Census implements store.Envelopes.
func (s *Store) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	var out []store.Count
	for _, p := range cat {
		count := s.count
		if p.HasArrays() {
			count = s.countInArrays
		}
		var counts map[kek.Version]int
		err := s.again(ctx, long, func(ctx context.Context, _ bool) (err error) {
			counts, err = count(ctx, p)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", p, err)
		}
		for _, v := range slices.Sorted(maps.Keys(counts)) {
			out = append(out, store.Count{Place: p, Version: v, N: counts[v]})
		}
	}
	return out, nil
}

// count has the server count the envelopes of a place by inner and outer version.
func (s *Store) count(ctx context.Context, p envelope.Place) (map[kek.Version]int, error) {
	id := bson.D{{Key: "inner", Value: "$" + p.Path + "." + p.Parts.KEKVersion}}
	if p.Outer != "" {
		id = append(id, bson.E{Key: "outer", Value: "$" + p.Outer})
	}
	cursor, err := s.db.Collection(p.Collection).Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: there(p)}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: id},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	var groups []struct {
		ID struct{ Inner, Outer bson.RawValue } `bson:"_id"`
		N  int
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, err
	}
	counts := map[kek.Version]int{}
	for _, g := range groups {
		inner, outer := versionOf(g.ID.Inner), versionOf(g.ID.Outer)
		counts[inner] += g.N
		if p.Outer != "" && outer != inner {
			counts[outer] += g.N
		}
	}
	return counts, nil
}

// countInArrays reads the records: what a server groups by would be whole arrays.
func (s *Store) countInArrays(ctx context.Context, p envelope.Place) (map[kek.Version]int, error) {
	c := envelope.Collection{Name: p.Collection, Outer: p.Outer, Places: []envelope.Place{p}}
	cursor, err := s.db.Collection(c.Name).Find(ctx, there(p), options.Find().SetProjection(projection(c)))
	if err != nil {
		return nil, err
	}
	defer cursor.Close(ctx)
	counts := map[kek.Version]int{}
	for cursor.Next(ctx) {
		d := document(cursor.Current, c)
		for _, h := range d.Envelopes {
			counts[h.Version]++
			if c.Outer != "" && d.Version != h.Version {
				counts[d.Version]++
			}
		}
	}
	return counts, cursor.Err()
}

// Strangers implements store.Envelopes.
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Place, error) {
	places := map[envelope.Place]bool{}
	err := s.Scan(ctx, func(collection string, record envelope.Tree) error {
		cat.Strange(collection, record, func(path string) { places[envelope.At(collection, path)] = true })
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
		err := s.again(ctx, forever, func(ctx context.Context, _ bool) error {
			return s.scan(ctx, c.Name, func(t tree) error { return record(c.Name, t) })
		})
		if err != nil {
			return fmt.Errorf("scan %s: %w", c.Name, err)
		}
	}
	return nil
}

// ours are the collections in which no application keeps records.
func (s *Store) ours(name string) bool {
	own := func(o string) bool { return s.own(o) == name }
	return strings.HasPrefix(name, "system.") ||
		slices.ContainsFunc([]string{install, versions, wraps, ceremonies, events, voids, refusals, heartbeats}, own)
}

func (s *Store) scan(ctx context.Context, collection string, record func(tree) error) error {
	cursor, err := s.db.Collection(collection).Find(ctx, bson.D{})
	if err != nil {
		return err
	}
	defer cursor.Close(ctx)
	next := func() bool {
		once, cancel := context.WithTimeout(ctx, attempt)
		defer cancel()
		return cursor.Next(once)
	}
	for next() {
		err := record(tree{bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: cursor.Current}})
		if err != nil {
			return err
		}
	}
	return cursor.Err()
}

// placeOf is the place of an id's type among idTypes, or -1.
func placeOf(t bson.Type) int {
	return slices.IndexFunc(idTypes, func(kind idType) bool { return slices.Contains(kind.types, t) })
}
