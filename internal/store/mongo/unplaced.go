package mongo

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// oddTypes are all types of BSON but those of idTypes, as $type has them.
var oddTypes = map[bson.Type]string{
	bson.TypeArray:         "array",
	bson.TypeUndefined:     "undefined",
	bson.TypeRegex:         "regex",
	bson.TypeDBPointer:     "dbPointer",
	bson.TypeJavaScript:    "javascript",
	bson.TypeSymbol:        "symbol",
	bson.TypeCodeWithScope: "javascriptWithScope",
	bson.TypeMinKey:        "minKey",
	bson.TypeMaxKey:        "maxKey",
}

// errRefused: the server does not take a query, which may have something that it does not know.
var errRefused = errors.New("the server does not take the query")

// taken reads the answer to a query.
func (s *Store) taken(err error) error {
	var server driver.ServerError
	if errors.As(err, &server) && !open(err) && s.asked.refused(err) == nil {
		return fmt.Errorf("%w: %s", errRefused, printable.Text(err.Error()))
	}
	return err
}

// unplaced asks for the records whose _id is of no kind that a position has. A list of the other types is
// found in the index; that an _id is of none of the kinds, a server compares with each record. It does so
// where it refuses the list.
func (s *Store) unplaced(do func(where bson.E) error) error {
	if !s.noTypes.Load() {
		types := bson.A{}
		for _, name := range slices.Sorted(maps.Values(oddTypes)) {
			types = append(types, name)
		}
		odd := bson.A{bson.D{isOf(types)}, bson.D{{Key: "_id", Value: exists(false)}}}
		err := do(bson.E{Key: "$and", Value: bson.A{bson.D{{Key: "$or", Value: odd}}}})
		if !errors.Is(err, errRefused) {
			return err
		}
		s.noTypes.Store(true)
	}
	return do(bson.E{Key: "_id", Value: bson.D{{Key: "$not", Value: isOf(aliases()).Value}}})
}
