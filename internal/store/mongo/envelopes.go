package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// there is the condition that a place holds an envelope, or what looks like one.
func there(p envelope.Place) bson.D {
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: dotted(p.Path) + "." + p.Parts.WrappedDEK, Value: exists(true)}},
		bson.D{{Key: dotted(p.Path) + "." + p.Parts.KEKVersion, Value: exists(true)}},
	}}}
}

// forever bounds a scan, whose steps have bounds of their own.
const forever = 365 * 24 * time.Hour

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
		some, err := s.ofType(ctx, c, to, t, bound, limit-len(docs))
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

// ofType reads at most limit records with something due. The server finds those that could have,
// as it does not look at each element of an array by itself: more at once, while they are not due.
func (s *Store) ofType(
	ctx context.Context, c envelope.Collection, to kek.Version, t idType, bound bson.D, limit int,
) (docs []store.Document, err error) {
	for n := limit; ; n = min(2*n, max(limit, store.Candidates)) {
		filter := bson.D{
			{Key: "_id", Value: append(bson.D{{Key: "$type", Value: t.alias}}, bound...)},
			{Key: "$or", Value: due(c, to)},
		}
		// Where little is due, the server reads all that is left before it answers.
		some, err := s.page(ctx, long, c, filter, n)
		if err != nil {
			return nil, err
		}
		for _, d := range some {
			if d.Due(c, to) && len(docs) < limit {
				docs = append(docs, d)
			}
		}
		if len(some) < n || len(docs) == limit {
			return docs, nil
		}
		bound = bson.D{{Key: "$gt", Value: some[len(some)-1].ID.(ref).id}}
	}
}

// due is the condition that a record may have an envelope not at the target.
func due(c envelope.Collection, to kek.Version) bson.A {
	var any bson.A
	for _, p := range c.Places {
		if p.HasArrays() {
			any = append(any, there(p))
			continue
		}
		stale := not(p.Path+"."+p.Parts.KEKVersion, to)
		if c.Outer != "" {
			stale = append(stale, not(c.Outer, to)...)
		}
		any = append(any, bson.D{{Key: "$and", Value: bson.A{there(p), bson.D{{Key: "$or", Value: stale}}}}})
	}
	return any
}

// not is the condition that a version is another one. An array of versions is one too, whatever
// is in it, and so is one in an array: $ne would look inside.
func not(version string, to kek.Version) bson.A {
	conditions := bson.A{bson.D{{Key: version, Value: bson.D{{Key: "$ne", Value: int(to)}}}}}
	names := strings.Split(version, ".")
	for i := range names {
		conditions = append(conditions, bson.D{{Key: strings.Join(names[:i+1], "."), Value: isArray}})
	}
	return conditions
}

// isArray is the condition that a field is an array.
var isArray = bson.D{{Key: "$type", Value: "array"}}

// projection are the parts of records that a page needs. Of an array, all is read: the server
// would leave elements out, and the others would have other numbers.
func projection(c envelope.Collection) bson.D {
	paths := []string{"_id"}
	add := func(path string) {
		within := func(path, other string) bool { return strings.HasPrefix(path+".", other+".") }
		if slices.ContainsFunc(paths, func(p string) bool { return within(path, p) }) {
			return
		}
		paths = slices.DeleteFunc(paths, func(p string) bool { return within(p, path) })
		paths = append(paths, path)
	}
	for _, p := range c.Places {
		if array, _, ok := strings.Cut(p.Path, "[]"); ok {
			add(array)
		}
	}
	if c.Outer != "" {
		add(c.Outer)
	}
	for _, p := range c.Places {
		if p.HasArrays() {
			continue
		}
		parts := append(p.Wrapped(), p.Parts.KEKVersion)
		if c.Payloads {
			parts = append(parts, p.Parts.Nonce, p.Parts.Ciphertext)
		}
		for _, part := range parts {
			add(p.Path + "." + part)
		}
	}
	fields := make(bson.D, len(paths))
	for i, path := range paths {
		fields[i] = bson.E{Key: path, Value: 1}
	}
	return fields
}

// page reads one answer of the server: with room for one more, no cursor outlives it.
func (s *Store) page(
	ctx context.Context, bound time.Duration, c envelope.Collection, filter bson.D, limit int,
) (docs []store.Document, err error) {
	find := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetProjection(projection(c)).
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
// the command ends: a hundred updates wait for each other forever.
const bulkSize = 64
