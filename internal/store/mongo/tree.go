package mongo

import (
	"iter"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/envelope"
)

// tree is a value of BSON.
type tree struct{ raw bson.RawValue }

// Fields implements envelope.Tree.
func (t tree) Fields() (iter.Seq2[string, envelope.Tree], bool) {
	document, ok := t.raw.DocumentOK()
	if !ok {
		return nil, false
	}
	elements, err := document.Elements()
	return func(yield func(string, envelope.Tree) bool) {
		for _, e := range elements {
			if !yield(e.Key(), tree{e.Value()}) {
				return
			}
		}
	}, err == nil
}

// Field implements envelope.Tree.
func (t tree) Field(name string) (envelope.Tree, bool) {
	document, ok := t.raw.DocumentOK()
	if !ok {
		return nil, false
	}
	v, err := document.LookupErr(name)
	return tree{v}, err == nil
}

// Elements implements envelope.Tree.
func (t tree) Elements() ([]envelope.Tree, bool) {
	array, ok := t.raw.ArrayOK()
	if !ok {
		return nil, false
	}
	values, err := array.Values()
	trees := make([]envelope.Tree, len(values))
	for i, v := range values {
		trees[i] = tree{v}
	}
	return trees, err == nil
}

// Value implements envelope.Tree.
func (t tree) Value() any {
	switch t.raw.Type {
	case bson.TypeBinary:
		_, data := t.raw.Binary()
		return data
	case bson.TypeString:
		return t.raw.StringValue()
	case bson.TypeInt32:
		return int64(t.raw.Int32())
	case bson.TypeInt64:
		return t.raw.Int64()
	case bson.TypeDouble:
		return t.raw.Double()
	case bson.TypeDecimal128:
		if n, err := strconv.ParseFloat(t.raw.Decimal128().String(), 64); err == nil {
			return n
		}
	}
	return nil
}

// ID implements envelope.Tree.
func (t tree) ID() (binding.ID, error) {
	if id, ok := t.raw.ObjectIDOK(); ok {
		return binding.IDOf(id)
	}
	return binding.IDOf(t.Value())
}
