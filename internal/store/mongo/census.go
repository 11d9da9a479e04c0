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
	if err := s.readable(ctx, cat); err != nil {
		return nil, err
	}
	var out []store.Count
	for _, p := range cat {
		count := s.count
		if p.HasArrays() {
			count = s.countInArrays
		}
		counts, odd, err := count(ctx, p, bson.A{there(p), covered(p)})
		if err == nil && odd {
			if err = s.uncovered(ctx, p); err == nil {
				counts, _, err = count(ctx, p, bson.A{there(p)})
			}
		}
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", p, err)
		}
		for _, v := range slices.Sorted(maps.Keys(counts)) {
			out = append(out, store.Count{Place: p, Version: v, N: counts[v]})
		}
	}
	return out, nil
}

// count has the server count the envelopes of a place by inner and outer version, and reports if one
// has no version.
func (s *Store) count(ctx context.Context, p envelope.Place, any bson.A) (map[kek.Version]int, bool, error) {
	id := bson.D{{Key: "inner", Value: "$" + p.Path + "." + p.Parts.KEKVersion}}
	if p.Outer != "" {
		id = append(id, bson.E{Key: "outer", Value: "$" + p.Outer})
	}
	var groups []struct {
		ID struct{ Inner, Outer bson.RawValue } `bson:"_id"`
		N  int
	}
	err := s.again(ctx, long, func(ctx context.Context, _ bool) error {
		cursor, err := s.db.Collection(p.Collection).Aggregate(ctx, driver.Pipeline{
			{{Key: "$match", Value: bson.D{{Key: "$or", Value: any}}}},
			{{Key: "$group", Value: bson.D{
				{Key: "_id", Value: id},
				{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
			}}},
		})
		if err != nil {
			return err
		}
		return cursor.All(ctx, &groups)
	})
	counts, odd := map[kek.Version]int{}, false
	for _, g := range groups {
		inner, outer := versionOf(g.ID.Inner), versionOf(g.ID.Outer)
		odd = odd || inner == 0
		counts[inner] += g.N
		if p.Outer != "" && outer != inner {
			counts[outer] += g.N
		}
	}
	return counts, odd, err
}

// countInArrays reads the records: what a server groups by would be whole arrays. It reports if one has no
// envelope.
func (s *Store) countInArrays(ctx context.Context, p envelope.Place, any bson.A) (map[kek.Version]int, bool, error) {
	c := envelope.Collection{Name: p.Collection, Outer: p.Outer, Places: []envelope.Place{p}}
	counts, odd := map[kek.Version]int{}, false
	err := s.walk(ctx, c.Name, bson.D{{Key: "$or", Value: any}}, projection(c), func(raw bson.Raw) error {
		d := document(raw, c)
		odd = odd || len(d.Envelopes) == 0
		for _, h := range d.Envelopes {
			counts[h.Version]++
			if c.Outer != "" && d.Version != h.Version {
				counts[d.Version]++
			}
		}
		return nil
	})
	return counts, odd, err
}

// Strangers implements store.Envelopes.
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Place, error) {
	if err := s.readable(ctx, cat); err != nil {
		return nil, err
	}
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
		read := s.walk
		if c.Type == "timeseries" { // no index on _id, which need not be unique
			read = s.whole
		}
		err := read(ctx, c.Name, bson.D{}, nil, func(raw bson.Raw) error {
			return record(c.Name, tree{bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}})
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
