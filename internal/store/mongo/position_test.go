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

// TestEveryType: a type of BSON is that of a kind of _id, or one of the odd types, and never both.
func TestEveryType(t *testing.T) {
	all := []bson.Type{bson.TypeMinKey, bson.TypeMaxKey}
	for b := bson.TypeDouble; b <= bson.TypeDecimal128; b++ {
		all = append(all, b)
	}
	for _, b := range all {
		if _, odd := oddTypes[b]; odd == (placeOf(b) >= 0) && b != bson.TypeSymbol { // sorted as text, named by itself
			t.Errorf("%s: odd %v, kind %d", b, odd, placeOf(b))
		}
	}
}
