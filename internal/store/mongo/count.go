package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
)

// counted is what a count has found so far: envelopes by version, and if one had no version, or a record no
// envelope.
type counted struct {
	n   map[kek.Version]int
	odd bool
}

// add counts envelopes, and once more those whose record has another version.
func (c *counted) add(inner, outer kek.Version, hasOuter bool, n int) {
	c.n[inner] += n
	if hasOuter && outer != inner {
		c.n[outer] += n
	}
}

// countPortion is how many records a server counts at once. A count of more goes on where it was after a
// failure, and no answer takes so long that something on the way takes the connection for dead.
const countPortion = 100_000

// countOnServer has the server count the envelopes of a place by inner and outer version.
func (s *Store) countOnServer(ctx context.Context, p envelope.Place, any bson.A) (counted, error) {
	c := counted{n: map[kek.Version]int{}}
	var about int64
	err := s.again(ctx, attempt, func(ctx context.Context, _ bool) (err error) {
		about, err = s.db.Collection(p.Collection).EstimatedDocumentCount(ctx)
		return err
	})
	if err != nil {
		return c, err
	}
	if about <= int64(s.testOnlyCount) {
		return c, s.countWhere(ctx, p, bson.D{{Key: "$or", Value: any}}, &c)
	}
	at := position{}
	for more := true; more; {
		to, err := s.portionEnd(ctx, p.Collection, at.where())
		if err != nil {
			return c, err
		}
		part := at.where()
		if !to.IsZero() {
			part = at.upTo(to)
			at.last = to
		} else {
			more = at.short()
		}
		if err := s.countWhere(ctx, p, bson.D{part, {Key: "$or", Value: any}}, &c); err != nil {
			return c, err
		}
	}
	rest := bson.E{Key: "_id", Value: bson.D{{Key: "$not", Value: isOf(aliases()).Value}}}
	return c, s.countWhere(ctx, p, bson.D{rest, {Key: "$or", Value: any}}, &c)
}

// portionEnd is the last id of the next portion to count; zero: less is left.
func (s *Store) portionEnd(ctx context.Context, collection string, where bson.E) (id bson.RawValue, err error) {
	var found []bson.Raw
	err = s.again(ctx, portion, func(ctx context.Context, _ bool) error {
		only := bson.D{{Key: "_id", Value: 1}}
		cursor, err := s.db.Collection(collection).Find(ctx, bson.D{where},
			options.Find().SetSort(only).SetProjection(only).SetSkip(int64(s.testOnlyCount)-1).SetLimit(1))
		if err != nil {
			return err
		}
		found = nil
		return cursor.All(ctx, &found)
	})
	if len(found) > 0 {
		id = found[0].Lookup("_id")
	}
	return id, err
}

// countWhere has the server count where a condition holds.
func (s *Store) countWhere(ctx context.Context, p envelope.Place, where bson.D, c *counted) error {
	id := bson.D{{Key: "inner", Value: "$" + p.Path + "." + p.Parts.KEKVersion}}
	if p.Outer != "" {
		id = append(id, bson.E{Key: "outer", Value: "$" + p.Outer})
	}
	var groups []struct {
		ID struct{ Inner, Outer bson.RawValue } `bson:"_id"`
		N  int
	}
	err := s.again(ctx, portion, func(ctx context.Context, _ bool) error {
		cursor, err := s.db.Collection(p.Collection).Aggregate(ctx, driver.Pipeline{
			{{Key: "$match", Value: where}},
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
	for _, g := range groups {
		inner := versionOf(g.ID.Inner)
		c.odd = c.odd || inner == 0
		c.add(inner, versionOf(g.ID.Outer), p.Outer != "", g.N)
	}
	return err
}

// countInArrays reads the records: what a server groups by would be whole arrays.
func (s *Store) countInArrays(ctx context.Context, p envelope.Place, any bson.A) (counted, error) {
	of := envelope.Collection{Name: p.Collection, Outer: p.Outer, Places: []envelope.Place{p}}
	c := counted{n: map[kek.Version]int{}}
	err := s.walk(ctx, of.Name, bson.D{{Key: "$or", Value: any}}, projection(of), func(raw bson.Raw) error {
		d := document(raw, of)
		c.odd = c.odd || len(d.Envelopes) == 0
		for _, h := range d.Envelopes {
			c.add(h.Version, d.Version, of.Outer != "", 1)
		}
		return nil
	})
	return c, err
}
