package mongo

import (
	"math"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Names inside a record: its outer version, and the parts of an envelope.
const (
	kekVersion = "kek_version"
	wrappedDEK = "wrapped_dek"
)

// ref is a record as it was read: the very values that a compare-and-swap
// demands. It is a Document's ID.
type ref struct {
	id      bson.RawValue
	version bson.RawValue // outer kek_version; zero: absent
	parts   map[string]parts
}

// parts are what a field holds of an envelope.
type parts struct {
	version bson.RawValue // zero: absent
	dek     any           // its wrapped DEK when that is not binary, a bson.RawValue; zero: absent
	subtype byte          // of one that is
	array   bool          // it is a list of envelopes, which no key opens
}

// String is the record's id as people know it.
func (r ref) String() string {
	switch r.id.Type {
	case bson.TypeString:
		return printable.Text(r.id.StringValue())
	case bson.TypeObjectID:
		return r.id.ObjectID().Hex()
	}
	return printable.Text(r.id.String())
}

// document reads what a page holds of one record. The memory is the cursor's:
// everything kept is copied.
func document(raw bson.Raw, c envelope.Collection) store.Document {
	r := ref{id: own(raw.Lookup("_id")), version: own(raw.Lookup(kekVersion)), parts: map[string]parts{}}
	d := store.Document{ID: r, Version: versionOf(r.version)}
	for _, f := range c.Fields {
		field := raw.Lookup(f)
		h := store.Held{Field: f}
		switch {
		case isEnvelope(field):
			sub := field.Document()
			part := parts{version: own(sub.Lookup(kekVersion)), dek: own(sub.Lookup(wrappedDEK))}
			h.Version = versionOf(part.version)
			if subtype, b, ok := sub.Lookup(wrappedDEK).BinaryOK(); ok {
				h.WrappedDEK, part.subtype = append([]byte{}, b...), subtype
			}
			r.parts[f] = part
		case isList(field):
			r.parts[f] = parts{array: true}
		default: // absent, or something that is no secret of ours
			continue
		}
		d.Envelopes = append(d.Envelopes, h)
	}
	return d
}

// own copies a value out of the cursor's memory.
func own(v bson.RawValue) bson.RawValue {
	v.Value = append([]byte{}, v.Value...)
	return v
}

// isEnvelope reports whether a field is a sub-document with a part of an
// envelope. Whether it is a good one, the provider finds out.
func isEnvelope(v bson.RawValue) bool {
	sub, ok := v.DocumentOK()
	if !ok {
		return false
	}
	for _, part := range []string{wrappedDEK, kekVersion} {
		if _, err := sub.LookupErr(part); err == nil {
			return true
		}
	}
	return false
}

// isList reports whether a field is an array with such a sub-document in it: a
// query's path looks into arrays, one level deep.
func isList(v bson.RawValue) bool {
	array, ok := v.ArrayOK()
	if !ok {
		return false
	}
	values, _ := array.Values()
	return slices.ContainsFunc(values, isEnvelope)
}

// walk calls found with the path of every sub-document that has a wrapped DEK,
// within others too.
func walk(v bson.RawValue, path string, found func(path string)) {
	var elements []bson.RawElement
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		if _, err := v.Document().LookupErr(wrappedDEK); err == nil {
			found(path)
		}
		elements, _ = v.Document().Elements()
	case bson.TypeArray:
		values, _ := v.Array().Values()
		for _, v := range values {
			walk(v, path+"[]", found)
		}
	}
	for _, e := range elements {
		walk(e.Value(), path+"."+e.Key(), found)
	}
}

// versionOf is a whole number of any BSON type as a version, else 0.
func versionOf(v bson.RawValue) kek.Version {
	n, ok := v.AsFloat64OK()
	if d, isDecimal := v.Decimal128OK(); isDecimal {
		var err error
		n, err = strconv.ParseFloat(d.String(), 64)
		ok = err == nil
	}
	if !ok || !(n >= 1 && n <= float64(kek.MaxVersion)) || n != math.Trunc(n) {
		return 0
	}
	return kek.Version(n)
}

// like is version v as a number of the type that the application wrote.
func like(old bson.RawValue, v kek.Version) any {
	switch old.Type {
	case bson.TypeInt64:
		return int64(v)
	case bson.TypeDouble:
		return float64(v)
	}
	return int32(v)
}

// was is the condition that a field still is what was read. What was read is a
// value, also when it looks like an operator.
func was(name string, v any) bson.E {
	if raw, ok := v.(bson.RawValue); ok && raw.Type == 0 {
		return bson.E{Key: name, Value: exists(false)}
	}
	return bson.E{Key: name, Value: bson.D{{Key: "$eq", Value: v}}}
}
