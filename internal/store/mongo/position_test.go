package mongo

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestNaN: NaN is an _id that sorts before all numbers, nothing is greater, and it is not less than any. A
// server that takes it as one shows the rest: TestEveryKindOfID.
func TestNaN(t *testing.T) {
	for _, c := range []struct {
		condition func(bson.RawValue) bson.E
		of        any
		want      string
	}{
		{beyond, math.NaN(), `{"_id": {"$gte": {"$numberDouble":"-Infinity"}}}`},
		{beyond, int32(1), `{"_id": {"$gt": {"$numberInt":"1"}}}`},
		{fromFirst, int32(1), `{"_id": {"$type": "number","$not": {"$gt": {"$numberInt":"1"}}}}`},
		{fromFirst, math.NaN(), `{"_id": {"$lte": {"$numberDouble":"NaN"}}}`},
		{fromFirst, "a", `{"_id": {"$lte": "a"}}`},
	} {
		kind, data, err := bson.MarshalValue(c.of)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := bson.Marshal(bson.D{c.condition(bson.RawValue{Type: kind, Value: data})})
		if err != nil {
			t.Fatal(err)
		}
		if got := bson.Raw(raw).String(); got != c.want {
			t.Errorf("%v: %s, want %s", c.of, got, c.want)
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
