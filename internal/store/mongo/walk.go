package mongo

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// query is what to read of a collection: the records that match, whole where no fields are named.
type query struct {
	collection     string
	filter, fields bson.D
	twins          bool // several records may have one _id
}

// narrowed is the query with one more condition.
func (q query) narrowed(by bson.E) query {
	q.filter = narrowed(q.filter, by)
	return q
}

// walk reads the records of a query.
func (s *Store) walk(ctx context.Context, q query, visit func(bson.Raw) error) error {
	err := s.onward(ctx, q, position{}, s.pace(firstPortion, maxPortion, portionSize), visit)
	if err != nil {
		return err
	}
	return s.unplaced(func(where bson.E) error {
		return s.whole(ctx, q.narrowed(where), visit)
	})
}

// onward reads the records of a query whose ids have a place, from a position on. Each portion is a query of
// its own, and tried as any other operation: after a failure the reading goes on where it was. visit is called
// once for each record, and never again after an error of its own.
func (s *Store) onward(ctx context.Context, q query, at position, pace pace, visit func(bson.Raw) error) error {
	pace.timed = true
	for more := true; more; {
		p, err := s.portion(ctx, q, &at, &pace)
		if err == nil && p.full {
			p.docs, err = s.twins(ctx, q, p.docs)
		}
		for _, raw := range p.docs {
			if err == nil {
				err = visit(raw)
			}
		}
		if err != nil {
			return err
		}
		more = p.more
	}
	return nil
}

// portion is what comes next of a query.
type portion struct {
	docs []bson.Raw
	full bool // as much as was asked for
	more bool // something may be left
}

// portion reads what comes next, and moves the position behind it. What the server looks at for it ends
// where the pace says.
func (s *Store) portion(ctx context.Context, q query, at *position, pace *pace) (p portion, err error) {
	var to bson.RawValue
	err = s.paced(ctx, pace, func(ctx context.Context) (_ []bson.Raw, err error) {
		if to, err = s.reached(ctx, q.collection, at, pace.reach); err == nil {
			p, err = s.read(ctx, q.narrowed(at.upTo(to)), bson.D{{Key: at.key(), Value: 1}}, pace)
		}
		return p.docs, err
	})
	if err != nil {
		return portion{}, err
	}
	p.more = true
	if p.full {
		at.full(p.docs)
	} else {
		p.more = at.passed(to)
	}
	return p, nil
}

// reached is where the last record stands that the server looks at next; zero: it looks at all that are left.
func (s *Store) reached(ctx context.Context, collection string, at *position, reach int) (id bson.RawValue, err error) {
	if reach == 0 {
		return id, nil
	}
	only := bson.D{{Key: at.key(), Value: 1}}
	cursor, err := s.db.Collection(collection).Find(ctx, bson.D{at.where()},
		options.Find().SetSort(only).SetProjection(only).SetSkip(int64(reach)-1).SetLimit(1))
	if err != nil {
		return id, err
	}
	var found []bson.Raw
	if err = cursor.All(ctx, &found); err == nil && len(found) > 0 {
		id = found[0].Lookup(at.key())
	}
	return id, err
}

// read is one query, in an order. It ends with the batch with which it is as large as it should be.
func (s *Store) read(ctx context.Context, q query, order bson.D, pace *pace) (p portion, err error) {
	find := options.Find().SetSort(order).SetLimit(int64(pace.n)).
		SetBatchSize(int32(pace.n) + 1) // with room for one more, no cursor outlives it
	if q.fields != nil {
		find.SetProjection(q.fields)
	}
	cursor, err := s.db.Collection(q.collection).Find(ctx, q.filter, find)
	if err != nil {
		return p, err
	}
	defer cursor.Close(ctx)
	for size := 0; !p.full && cursor.Next(ctx); {
		p.docs = append(p.docs, slices.Clone(cursor.Current))
		size += len(cursor.Current)
		p.full = len(p.docs) == pace.n || size >= pace.size && cursor.RemainingBatchLength() == 0 && cursor.ID() != 0
	}
	return p, cursor.Err()
}

// twins has all records of the last id, where the answer ended with one of them. In a sharded cluster two may
// have one id, if the collection is not sharded by it; elsewhere only in a time series.
func (s *Store) twins(ctx context.Context, q query, docs []bson.Raw) (all []bson.Raw, err error) {
	if !s.sharded && !q.twins {
		return docs, nil
	}
	before, last := withoutLast(docs, "_id")
	err = s.within(ctx, eachBatch, func(ctx context.Context, _ bool) error {
		all = slices.Clone(before)
		return s.batches(ctx, q.narrowed(was("_id", last)), func(raw bson.Raw) bool {
			all = append(all, slices.Clone(raw))
			return true
		})
	})
	return all, err
}

// withoutLast is the value of a field in the last record, and the records before those that have the same.
func withoutLast(docs []bson.Raw, field string) (before []bson.Raw, last bson.RawValue) {
	last = docs[len(docs)-1].Lookup(field)
	n := slices.IndexFunc(docs, func(raw bson.Raw) bool {
		v := raw.Lookup(field)
		return v.Type == last.Type && bytes.Equal(v.Value, last.Value)
	})
	return docs[:n], last
}

// whole reads the records of a query at once, in no order: those that have no place in a walk, which are
// few. After a failure it begins again, and a record may come twice.
func (s *Store) whole(ctx context.Context, q query, visit func(bson.Raw) error) error {
	var stop error
	err := s.within(ctx, eachBatch, func(ctx context.Context, _ bool) error {
		err := s.batches(ctx, q, func(raw bson.Raw) bool {
			stop = visit(slices.Clone(raw))
			return stop == nil
		})
		return s.taken(err)
	})
	return cmp.Or(err, stop)
}

// batches reads the records of a query until visit says no. Each batch is waited for by itself. The memory
// is the cursor's.
func (s *Store) batches(ctx context.Context, q query, visit func(bson.Raw) bool) error {
	find := options.Find().SetBatchSize(firstPortion)
	if q.fields != nil {
		find.SetProjection(q.fields)
	}
	once := func(bound time.Duration, do func(context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		do(ctx)
	}
	var cursor *driver.Cursor
	var err error
	once(s.testOnlyLongest, func(ctx context.Context) {
		cursor, err = s.db.Collection(q.collection).Find(ctx, q.filter, find)
	})
	if err != nil {
		return err
	}
	defer once(s.testOnlyAttempt, func(ctx context.Context) { _ = cursor.Close(ctx) })
	for more := true; more; {
		once(s.testOnlyLongest, func(ctx context.Context) { more = cursor.Next(ctx) })
		more = more && visit(cursor.Current)
	}
	return cursor.Err()
}
