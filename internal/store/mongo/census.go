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
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Census implements store.Envelopes.
func (s *Store) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	var out []store.Count
	for _, f := range cat {
		var counts map[kek.Version]int
		err := s.again(ctx, long, func(ctx context.Context, _ bool) (err error) {
			counts, err = s.count(ctx, f)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", f, err)
		}
		for _, v := range slices.Sorted(maps.Keys(counts)) {
			out = append(out, store.Count{Field: f, Version: v, N: counts[v]})
		}
	}
	return out, nil
}

// count has the server count the envelopes of a field by inner and outer version.
func (s *Store) count(ctx context.Context, f envelope.Field) (map[kek.Version]int, error) {
	cursor, err := s.db.Collection(f.Collection).Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: there(f.Name)}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{
				{Key: "inner", Value: "$" + f.Name + "." + kekVersion},
				{Key: "outer", Value: "$" + kekVersion},
			}},
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
		if outer != inner {
			counts[outer] += g.N
		}
	}
	return counts, nil
}

// Strangers implements store.Envelopes: it reads every record of every
// collection, whatever it is nested in.
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Field, error) {
	specs, err := s.db.ListCollectionSpecifications(ctx, bson.D{})
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", s.safe(err))
	}
	fields := map[envelope.Field]bool{}
	for _, c := range specs {
		if c.Type == "view" || ours(c.Name) { // a view shows what another collection holds
			continue
		}
		err := s.again(ctx, forever, func(ctx context.Context, _ bool) error { return s.scan(ctx, c.Name, fields) })
		if err != nil {
			return nil, fmt.Errorf("look for envelopes in %s: %w", c.Name, err)
		}
	}
	for _, f := range cat {
		delete(fields, f)
	}
	return envelope.Catalogue(slices.Collect(maps.Keys(fields))).With(), nil
}

// ours are the collections in which no application keeps records.
func ours(name string) bool {
	return strings.HasPrefix(name, "system.") ||
		slices.Contains([]string{install, versions, ceremonies, events, heartbeats}, name)
}

func (s *Store) scan(ctx context.Context, collection string, fields map[envelope.Field]bool) error {
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
		elements, err := cursor.Current.Elements()
		if err != nil {
			return err
		}
		for _, e := range elements {
			walk(e.Value(), e.Key(), func(path string) { fields[envelope.Field{Collection: collection, Name: path}] = true })
		}
	}
	return cursor.Err()
}

// placeOf is the place of an id's type among idTypes, or -1.
func placeOf(t bson.Type) int {
	return slices.IndexFunc(idTypes, func(kind idType) bool { return slices.Contains(kind.types, t) })
}
