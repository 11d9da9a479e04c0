package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
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
// the command ends: a hundred updates wait for each other forever.
const bulkSize = 64
