package mongo

import (
	"context"
	"errors"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// firstList is how much a list asks for at first: its documents are small, and most lists are short.
const firstList = 128

var errEnough = errors.New("as many as were asked for")

// list decodes all documents that match, by _id.
func list[T any](ctx context.Context, s *Store, collection string, filter bson.D) ([]T, error) {
	return listFrom[T](ctx, s, query{collection: collection, filter: filter}, position{}, math.MaxInt)
}

// listFrom decodes documents that match, by _id, from a position on.
func listFrom[T any](ctx context.Context, s *Store, q query, at position, limit int) (all []T, err error) {
	pace := s.pace(min(limit, firstList), min(limit, maxPortion), portionSize)
	err = s.onward(ctx, q, at, pace, func(raw bson.Raw) error {
		if len(all) == limit {
			return errEnough
		}
		var one T
		err := bson.Unmarshal(raw, &one)
		all = append(all, one)
		return s.safe(err)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return all, nil
}
