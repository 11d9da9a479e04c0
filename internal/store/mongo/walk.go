package mongo

import (
	"bytes"
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// walk reads the records of a collection that match, whole where no fields are named. Each portion is a
// query of its own, and tried as any other operation: after a failure the walk goes on where it was. visit
// is called once for each record, and never again after an error of its own.
func (s *Store) walk(
	ctx context.Context, collection string, filter, fields bson.D, visit func(bson.Raw) error,
) error {
	at, pace := position{}, pace{n: firstPortion, bound: s.testOnlyAttempt, least: s.testOnlyAttempt}
	for more := true; more; {
		docs, asked, err := s.portion(ctx, collection, append(bson.D{at.where()}, filter...), fields, &pace)
		if err != nil {
			return err
		}
		if len(docs) == asked {
			at.full(docs)
			docs, err = s.twins(ctx, collection, filter, fields, docs)
		} else {
			more = at.short()
		}
		for _, raw := range docs {
			if err == nil {
				err = visit(raw)
			}
		}
		if err != nil {
			return err
		}
	}
	rest := bson.D{{Key: "_id", Value: bson.D{{Key: "$not", Value: isOf(aliases()).Value}}}}
	return s.whole(ctx, collection, append(rest, filter...), fields, visit)
}

// A portion of a walk: how many records are asked for at first and at most, how large it should be, and
// how long it should take.
const (
	firstPortion = 32
	maxPortion   = 10_000
	portionSize  = 4 << 20 // bytes
	portionTime  = time.Second
)

// pace is how much a walk asks for at once, and how long it waits for that. On a slow link it asks for
// less, and waits longer: a portion of one record, which is the least, may have 16 MB.
type pace struct {
	n            int
	bound, least time.Duration
}

func (p *pace) slower() { p.n, p.bound = max(1, p.n/4), min(2*p.bound, long) }

// took follows what a portion took.
func (p *pace) took(docs []bson.Raw, d time.Duration) {
	size := 0
	for _, raw := range docs {
		size += len(raw)
	}
	p.bound = max(p.least, 4*d)
	p.n = min(4*p.n, maxPortion)
	if n := len(docs); n > 0 {
		p.n = min(p.n, max(1, portionSize*n/size), max(1, int(portionTime*time.Duration(n)/(d+1))))
	}
}

// portion reads what comes next, at most as many records as were asked for.
func (s *Store) portion(
	ctx context.Context, collection string, filter, fields bson.D, pace *pace,
) (docs []bson.Raw, asked int, err error) {
	err = s.again(ctx, long, func(ctx context.Context, _ bool) (err error) {
		asked = pace.n
		once, cancel := context.WithTimeout(ctx, pace.bound)
		defer cancel()
		began := time.Now()
		docs, err = s.read(once, collection, filter, fields, asked)
		switch {
		case err == nil:
			pace.took(docs, time.Since(began))
		case driver.IsTimeout(err):
			pace.slower()
		}
		return err
	})
	return docs, asked, err
}

// read is one query by _id; a limit of 0 is none.
func (s *Store) read(
	ctx context.Context, collection string, filter, fields bson.D, limit int,
) (docs []bson.Raw, err error) {
	find := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit))
	if limit > 0 {
		find.SetBatchSize(int32(limit) + 1) // with room for one more, no cursor outlives it
	}
	if fields != nil {
		find.SetProjection(fields)
	}
	cursor, err := s.db.Collection(collection).Find(ctx, filter, find)
	if err != nil {
		return nil, err
	}
	defer cursor.Close(ctx)
	for cursor.Next(ctx) {
		docs = append(docs, slices.Clone(cursor.Current))
	}
	return docs, cursor.Err()
}

// twins has records of the last id that stand on other shards, where the answer ended with one of them.
// Only in a sharded cluster may two records have one id, if the collection is not sharded by it.
func (s *Store) twins(
	ctx context.Context, collection string, filter, fields bson.D, docs []bson.Raw,
) (all []bson.Raw, err error) {
	if !s.sharded {
		return docs, nil
	}
	last := docs[len(docs)-1].Lookup("_id")
	n := slices.IndexFunc(docs, func(raw bson.Raw) bool {
		id := raw.Lookup("_id")
		return id.Type == last.Type && bytes.Equal(id.Value, last.Value)
	})
	err = s.again(ctx, long, func(ctx context.Context, _ bool) (err error) {
		same := append(bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: last}}}}, filter...)
		all, err = s.read(ctx, collection, same, fields, 0)
		return err
	})
	return append(docs[:n:n], all...), err
}

// whole reads the records that match in one query, in no order: those that have no place in a walk, which
// are few. After a failure it begins again, and a record may come twice.
func (s *Store) whole(
	ctx context.Context, collection string, filter, fields bson.D, visit func(bson.Raw) error,
) error {
	var stop error
	find := options.Find().SetBatchSize(firstPortion)
	if fields != nil {
		find.SetProjection(fields)
	}
	err := s.again(ctx, long, func(ctx context.Context, _ bool) error {
		cursor, err := s.db.Collection(collection).Find(ctx, filter, find)
		if err != nil {
			return err
		}
		defer cursor.Close(ctx)
		for cursor.Next(ctx) {
			if stop = visit(slices.Clone(cursor.Current)); stop != nil {
				return nil
			}
		}
		return cursor.Err()
	})
	if err == nil {
		err = stop
	}
	return err
}
