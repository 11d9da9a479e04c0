package mongo

import (
	"cmp"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

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

// placeOf is the place of an id's type among idTypes, or -1.
func placeOf(t bson.Type) int {
	return slices.IndexFunc(idTypes, func(kind idType) bool { return slices.Contains(kind.types, t) })
}

// aliases are the kinds of _id, but for some, as $type has them.
func aliases(but ...int) (all bson.A) {
	for i, t := range idTypes {
		if !slices.Contains(but, i) {
			all = append(all, t.alias)
		}
	}
	return all
}

// isOf is the condition that an _id is of one of some kinds.
func isOf(kinds bson.A) bson.E {
	return bson.E{Key: "_id", Value: bson.D{{Key: "$type", Value: kinds}}}
}

// beyond is the condition that an _id comes after another one of its kind. Nothing is greater than NaN,
// which sorts before all other numbers.
func beyond(id bson.RawValue) bson.E {
	after := bson.D{{Key: "$gt", Value: id}}
	if isNaN(id) {
		after = bson.D{{Key: "$gte", Value: math.Inf(-1)}}
	}
	return bson.E{Key: "_id", Value: after}
}

// position is where a reading by _id is, or by another field. It relies on the order of values within a kind
// alone, not on that of kinds, in which servers may differ: a kind that was not read whole is asked for again.
type position struct {
	by   string        // the field; empty: _id
	done []int         // kinds that were read whole
	last bson.RawValue // the id that was read last, if its kind was not; zero: none
}

// key is the name of the field.
func (p *position) key() string { return cmp.Or(p.by, "_id") }

// of is a condition of that field.
func (p *position) of(e bson.E) bson.E { return bson.E{Key: p.key(), Value: e.Value} }

// startingAfter is the position of a page after an id. Of what comes before it, nothing is asked.
func startingAfter(id bson.RawValue) position {
	p := position{last: id}
	for kind := range placeOf(id.Type) {
		p.done = append(p.done, kind)
	}
	return p
}

// amongThoseAfter is the position of a reading of the ids of one kind alone, after one of them.
func amongThoseAfter(id bson.RawValue) position {
	p := ofKind(id.Type)
	p.last = id
	return p
}

// ofKind is the position before all values of a kind, of those alone.
func ofKind(t bson.Type) (p position) {
	for kind := range idTypes {
		if kind != placeOf(t) {
			p.done = append(p.done, kind)
		}
	}
	return p
}

// where is the condition of what to ask for next.
func (p *position) where() bson.E {
	if p.last.IsZero() {
		return p.of(isOf(aliases(p.done...)))
	}
	return p.of(beyond(p.last))
}

// upTo is the condition of what to ask for next, and not of what comes after an id, if there is one: all of
// one kind.
func (p *position) upTo(id bson.RawValue) bson.E {
	if id.IsZero() {
		return p.where()
	}
	to := bson.E{Key: "$lte", Value: id}
	if p.last.IsZero() {
		return p.of(fromFirst(id))
	}
	where := p.of(beyond(p.last))
	where.Value = append(where.Value.(bson.D), to)
	return where
}

// narrowed is a filter with one more condition, also where it has one of that name: a server may refuse two.
func narrowed(filter bson.D, by bson.E) bson.D {
	if slices.ContainsFunc(filter, func(e bson.E) bool { return e.Key == by.Key }) {
		return bson.D{{Key: "$and", Value: bson.A{bson.D{by}, filter}}}
	}
	return append(bson.D{by}, filter...)
}

func isNaN(id bson.RawValue) bool {
	n, ok := (tree{id}).Value().(float64)
	return ok && math.IsNaN(n)
}

// fromFirst is the condition that an _id is of the kind of another one and does not come after it. NaN sorts
// before all other numbers and is not less than any of them.
func fromFirst(id bson.RawValue) bson.E {
	if kind := idTypes[placeOf(id.Type)]; kind.alias == "number" && !isNaN(id) {
		return bson.E{Key: "_id", Value: bson.D{{Key: "$type", Value: kind.alias},
			{Key: "$not", Value: bson.D{{Key: "$gt", Value: id}}}}}
	}
	return bson.E{Key: "_id", Value: bson.D{{Key: "$lte", Value: id}}}
}

// passed moves on after all up to an id was read, or all that was asked for, and reports if anything is left.
func (p *position) passed(id bson.RawValue) bool {
	if id.IsZero() {
		return p.short()
	}
	p.last = id
	return true
}

// full moves on after an answer that had as many records as were asked for. Those of a kind stand together.
func (p *position) full(docs []bson.Raw) {
	p.last = docs[len(docs)-1].Lookup(p.key())
	for _, raw := range docs {
		if kind := placeOf(raw.Lookup(p.key()).Type); kind != placeOf(p.last.Type) && !slices.Contains(p.done, kind) {
			p.done = append(p.done, kind)
		}
	}
}

// short moves on after an answer that had fewer, and reports if anything is left to ask for.
func (p *position) short() bool {
	if p.last.IsZero() {
		return false
	}
	p.done = append(p.done, placeOf(p.last.Type))
	p.last = bson.RawValue{}
	return len(p.done) < len(idTypes)
}
