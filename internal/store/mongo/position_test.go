package mongo

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestBeyondNaN: NaN is an _id that sorts before all numbers, and nothing is greater. FerretDB has none.
func TestBeyondNaN(t *testing.T) {
	for value, want := range map[any]string{
		math.NaN(): `{"_id": {"$gte": {"$numberDouble":"-Infinity"}}}`,
		int32(1):   `{"_id": {"$gt": {"$numberInt":"1"}}}`,
	} {
		kind, data, err := bson.MarshalValue(value)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := bson.Marshal(bson.D{beyond(bson.RawValue{Type: kind, Value: data})})
		if err != nil {
			t.Fatal(err)
		}
		if got := bson.Raw(raw).String(); got != want {
			t.Errorf("after %v: %s, want %s", value, got, want)
		}
	}
}
