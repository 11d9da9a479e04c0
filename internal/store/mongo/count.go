package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

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

// countOnServer has the server count the envelopes of a place by inner and outer version. A count of many
// goes on where it was after a failure, and no answer takes so long that something on the way takes the
// connection for dead.
func (s *Store) countOnServer(ctx context.Context, p envelope.Place, any bson.A) (counted, error) {
	c := counted{n: map[kek.Version]int{}}
	var about int64
	err := s.again(ctx, func(ctx context.Context, _ bool) (err error) {
		about, err = s.db.Collection(p.Collection).EstimatedDocumentCount(ctx)
		return err
	})
	if err != nil {
		return c, err
	}
	at, pace := position{}, s.pace(0, 0, 0)
	if about > int64(pace.farthest) {
		pace.reach = pace.farthest
	}
	for more := true; more; {
		var groups []group
		if groups, more, err = s.countPortion(ctx, p, any, &at, &pace); err != nil {
			return c, err
		}
		c.addAll(p, groups)
	}
	if pace.reach == 0 { // it was one, of all
		return c, nil
	}
	err = s.unplaced(func(where bson.E) error {
		var groups []group
		err := s.within(ctx, s.testOnlyLongest, func(ctx context.Context, _ bool) (err error) {
			groups, err = s.group(ctx, p, bson.D{where, {Key: "$or", Value: any}})
			return s.taken(err)
		})
		c.addAll(p, groups)
		return err
	})
	return c, err
}

// countPortion counts what comes next, and moves the position behind it.
func (s *Store) countPortion(
	ctx context.Context, p envelope.Place, any bson.A, at *position, pace *pace,
) (groups []group, more bool, err error) {
	var to bson.RawValue
	err = s.paced(ctx, pace, func(ctx context.Context) (_ []bson.Raw, err error) {
		where := bson.D{{Key: "$or", Value: any}}
		if pace.reach > 0 {
			if to, err = s.reached(ctx, p.Collection, at, pace.reach); err == nil {
				where = append(bson.D{at.upTo(to)}, where...)
			}
		}
		if err == nil {
			groups, err = s.group(ctx, p, where)
		}
		return nil, err
	})
	return groups, err == nil && pace.reach > 0 && at.passed(to), err
}

// group is how many records of a place have the same versions.
type group struct {
	ID struct{ Inner, Outer bson.RawValue } `bson:"_id"`
	N  int
}

func (c *counted) addAll(p envelope.Place, groups []group) {
	for _, g := range groups {
		inner := versionOf(g.ID.Inner)
		c.odd = c.odd || inner == 0
		c.add(inner, versionOf(g.ID.Outer), p.Outer != "", g.N)
	}
}

// group has the server count where a condition holds.
func (s *Store) group(ctx context.Context, p envelope.Place, where bson.D) (groups []group, err error) {
	id := bson.D{{Key: "inner", Value: "$" + p.Path + "." + p.Parts.KEKVersion}}
	if p.Outer != "" {
		id = append(id, bson.E{Key: "outer", Value: "$" + p.Outer})
	}
	cursor, err := s.db.Collection(p.Collection).Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: where}},
		{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: id},
			{Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
	})
	if err == nil {
		err = cursor.All(ctx, &groups)
	}
	return groups, err
}

// countInArrays reads the records: what a server groups by would be whole arrays.
func (s *Store) countInArrays(ctx context.Context, p envelope.Place, any bson.A) (counted, error) {
	of := envelope.Collection{Name: p.Collection, Outer: p.Outer, Places: []envelope.Place{p}}
	c := counted{n: map[kek.Version]int{}}
	q := query{collection: of.Name, filter: bson.D{{Key: "$or", Value: any}}, fields: projection(of)}
	err := s.walk(ctx, q, func(raw bson.Raw) error {
		d := document(raw, of)
		c.odd = c.odd || len(d.Envelopes) == 0
		for _, h := range d.Envelopes {
			c.add(h.Version, d.Version, of.Outer != "", 1)
		}
		return nil
	})
	return c, err
}
