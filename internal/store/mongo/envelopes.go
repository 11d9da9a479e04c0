package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// there is the condition that a field holds an envelope, or what looks like one.
func there(field string) bson.D {
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: field + "." + wrappedDEK, Value: exists(true)}},
		bson.D{{Key: field + "." + kekVersion, Value: exists(true)}},
	}}}
}

// Census implements store.Envelopes.
func (s *Store) Census(ctx context.Context, cat envelope.Catalogue) ([]store.Count, error) {
	var out []store.Count
	for _, p := range cat {
		var counts map[kek.Version]int
		err := s.again(ctx, long, func(ctx context.Context, _ bool) (err error) {
			counts, err = s.count(ctx, p)
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
	cursor, err := s.db.Collection(p.Collection).Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: there(p.Field)}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{
				{Key: "inner", Value: "$" + p.Field + "." + kekVersion},
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
func (s *Store) Strangers(ctx context.Context, cat envelope.Catalogue) ([]envelope.Place, error) {
	specs, err := s.db.ListCollectionSpecifications(ctx, bson.D{})
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", s.told(err))
	}
	places := map[envelope.Place]bool{}
	for _, c := range specs {
		if c.Type == "view" || ours(c.Name) { // a view shows what another collection holds
			continue
		}
		err := s.again(ctx, forever, func(ctx context.Context, _ bool) error { return s.scan(ctx, c.Name, places) })
		if err != nil {
			return nil, fmt.Errorf("look for envelopes in %s: %w", c.Name, err)
		}
	}
	for _, p := range cat {
		delete(places, p)
	}
	return envelope.Catalogue(slices.Collect(maps.Keys(places))).With(), nil
}

// ours are the collections in which no application keeps records.
func ours(name string) bool {
	return strings.HasPrefix(name, "system.") ||
		slices.Contains([]string{install, versions, ceremonies, events, heartbeats}, name)
}

// forever bounds a scan, whose steps have bounds of their own.
const forever = 365 * 24 * time.Hour

func (s *Store) scan(ctx context.Context, collection string, places map[envelope.Place]bool) error {
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
			walk(e.Value(), e.Key(), func(path string) { places[envelope.Place{Collection: collection, Field: path}] = true })
		}
	}
	return cursor.Err()
}

// idType is a kind of _id: $gt compares within one.
type idType struct {
	alias string // for $type
	types []bson.Type
}

// idTypes are the kinds in the order in which MongoDB sorts them.
var idTypes = []idType{
	{"null", []bson.Type{bson.TypeNull}},
	{"number", []bson.Type{bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128}},
	{"string", []bson.Type{bson.TypeString, bson.TypeSymbol}},
	{"object", []bson.Type{bson.TypeEmbeddedDocument}},
	{"binData", []bson.Type{bson.TypeBinary}},
	{"objectId", []bson.Type{bson.TypeObjectID}},
	{"bool", []bson.Type{bson.TypeBoolean}},
	{"date", []bson.Type{bson.TypeDateTime}},
	{"timestamp", []bson.Type{bson.TypeTimestamp}},
}

// placeOf is the place of an id's type among idTypes, or -1.
func placeOf(t bson.Type) int {
	return slices.IndexFunc(idTypes, func(kind idType) bool { return slices.Contains(kind.types, t) })
}

// Page implements store.Envelopes. It goes by _id, type by type.
func (s *Store) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, after any, limit int,
) ([]store.Document, error) {
	from, bound := 0, bson.D(nil)
	if r, ok := after.(ref); ok {
		from = placeOf(r.id.Type)
		bound = bson.D{{Key: "$gt", Value: r.id}}
	}
	var docs []store.Document
	for _, t := range idTypes[from:] {
		filter := bson.D{
			{Key: "_id", Value: append(bson.D{{Key: "$type", Value: t.alias}}, bound...)},
			{Key: "$or", Value: due(c, to)},
		}
		// Where little is due, the server reads all that is left before it answers.
		some, err := s.page(ctx, long, c, filter, limit-len(docs))
		if err != nil {
			return nil, fmt.Errorf("read a page of %s: %w", c.Name, err)
		}
		if docs = append(docs, some...); len(docs) == limit {
			break
		}
		bound = nil
	}
	return docs, nil
}

// due is the condition that a record has an envelope not at the target.
func due(c envelope.Collection, to kek.Version) bson.A {
	var any bson.A
	for _, f := range c.Fields {
		stale := append(not(f+"."+kekVersion, to), not(kekVersion, to)...)
		any = append(any, bson.D{{Key: "$and", Value: bson.A{there(f), bson.D{{Key: "$or", Value: stale}}}}})
	}
	return any
}

// not is the condition that a version is another one. An array of versions is
// one too, whatever is in it: $ne would look inside.
func not(version string, to kek.Version) bson.A {
	return bson.A{
		bson.D{{Key: version, Value: bson.D{{Key: "$ne", Value: int(to)}}}},
		bson.D{{Key: version, Value: isArray}},
	}
}

// isArray is the condition that a field is an array.
var isArray = bson.D{{Key: "$type", Value: "array"}}

// page reads one answer of the server: with room for one more, no cursor outlives it.
func (s *Store) page(
	ctx context.Context, bound time.Duration, c envelope.Collection, filter bson.D, limit int,
) (docs []store.Document, err error) {
	fields := bson.D{{Key: kekVersion, Value: 1}}
	for _, f := range c.Fields {
		fields = append(fields, bson.E{Key: f + "." + wrappedDEK, Value: 1}, bson.E{Key: f + "." + kekVersion, Value: 1})
	}
	find := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(fields).
		SetLimit(int64(limit)).SetBatchSize(int32(limit) + 1)
	err = s.again(ctx, bound, func(ctx context.Context, _ bool) error {
		docs = nil
		cursor, err := s.db.Collection(c.Name).Find(ctx, filter, find)
		if err != nil {
			return err
		}
		defer cursor.Close(ctx)
		for cursor.Next(ctx) {
			docs = append(docs, document(cursor.Current, c))
		}
		return cursor.Err()
	})
	return docs, err
}

// bulkSize is how many updates are one command. FerretDB 1 has a hundred
// connections to its SQLite files and keeps one for each update of a command until
// the command ends: a hundred updates wait for each other for ever.
const bulkSize = 64

// Swap implements store.Envelopes by unordered bulks of updates, each a
// compare-and-swap of one record.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) (took []bool, err error) {
	for some := range slices.Chunk(swaps, bulkSize) {
		t, err := s.bulk(ctx, c, some)
		if err != nil {
			return took, err
		}
		took = append(took, t...)
	}
	return took, nil
}

// bulk does one bulk. One whose answer was lost is done again: what took effect
// the first time no longer matches. Where not every update found its record, the
// records are read back (promise 3), after an answer that the majority has them.
func (s *Store) bulk(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	models := make([]driver.WriteModel, len(swaps))
	for i, sw := range swaps {
		models[i] = driver.NewUpdateOneModel().SetFilter(unchanged(c, sw.Old)).SetUpdate(set(renewed(sw)))
	}
	var matched int64
	err := s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
		r, err := s.db.Collection(c.Name).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if refused := (driver.BulkWriteException{}); errors.As(err, &refused) && len(refused.WriteErrors) > 0 && !open(err) {
			w := refused.WriteErrors[0]
			return fmt.Errorf("record %s: the server refuses the update: %s", swaps[w.Index].Old.ID, w.Message)
		}
		if err == nil {
			matched = r.MatchedCount
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("swap envelopes of %s: %w", c.Name, err)
	}
	if matched == int64(len(swaps)) {
		return slices.Repeat([]bool{true}, len(swaps)), nil
	}
	took, err := s.took(ctx, c, swaps)
	if err != nil {
		return nil, fmt.Errorf("read back envelopes of %s: %w", c.Name, err)
	}
	return took, nil
}

// unchanged is the filter of design section 4: the record as it was read.
func unchanged(c envelope.Collection, d store.Document) bson.D {
	r := d.ID.(ref)
	filter := append(byID(r.id), was(kekVersion, r.version))
	seen := map[string]bool{}
	for _, h := range d.Envelopes {
		seen[h.Field] = true
		part := r.parts[h.Field]
		if part.array { // left as it is, and named as poison
			filter = append(filter, bson.E{Key: h.Field, Value: isArray})
			continue
		}
		if len(h.WrappedDEK) > 0 {
			part.dek = bson.Binary{Subtype: part.subtype, Data: h.WrappedDEK}
		}
		filter = append(filter, was(h.Field+"."+kekVersion, part.version), was(h.Field+"."+wrappedDEK, part.dek))
	}
	for _, f := range c.Fields {
		if !seen[f] {
			filter = append(filter, bson.E{Key: f + "." + wrappedDEK, Value: exists(false)})
		}
	}
	return filter
}

// renewed is what the update sets: wrapped DEKs and versions, nothing else.
func renewed(sw store.Swap) bson.D {
	r := sw.Old.ID.(ref)
	fields := bson.D{{Key: kekVersion, Value: like(r.version, sw.To)}}
	for _, n := range sw.New {
		part := r.parts[n.Field]
		fields = append(fields,
			bson.E{Key: n.Field + "." + wrappedDEK, Value: bson.Binary{Subtype: part.subtype, Data: n.WrappedDEK}},
			bson.E{Key: n.Field + "." + kekVersion, Value: like(part.version, n.Version)})
	}
	return fields
}

// took reads the records back and tells which hold the new bytes.
func (s *Store) took(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	ids := make(bson.A, len(swaps))
	for i, sw := range swaps {
		ids[i] = sw.Old.ID.(ref).id
	}
	docs, err := s.page(ctx, attempt, c, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, len(ids))
	if err != nil {
		return nil, err
	}
	now := map[string]store.Document{}
	for _, d := range docs {
		now[key(d)] = d
	}
	took := make([]bool, len(swaps))
	for i, sw := range swaps {
		d, ok := now[key(sw.Old)]
		took[i] = ok && d.Version == sw.To && !slices.ContainsFunc(sw.New, func(n store.Held) bool { return !has(d, n) })
	}
	return took, nil
}

func key(d store.Document) string {
	id := d.ID.(ref).id
	return string(append([]byte{byte(id.Type)}, id.Value...))
}

func has(d store.Document, n store.Held) bool {
	return slices.ContainsFunc(d.Envelopes, func(h store.Held) bool {
		return h.Field == n.Field && h.Version == n.Version && bytes.Equal(h.WrappedDEK, n.WrappedDEK)
	})
}
