package mongo

import (
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
	version bson.RawValue            // outer kek_version; zero: absent
	fields  map[string]bson.RawValue // kek_version of each envelope; zero: absent
	subtype map[string]byte          // of each wrapped DEK
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
	r := ref{id: own(raw.Lookup("_id")), version: own(raw.Lookup(kekVersion)), fields: map[string]bson.RawValue{}, subtype: map[string]byte{}}
	d := store.Document{ID: r, Version: versionOf(r.version)}
	for _, f := range c.Fields {
		field := raw.Lookup(f)
		h := store.Held{Field: f}
		switch {
		case isEnvelope(field):
			sub := field.Document()
			r.fields[f] = own(sub.Lookup(kekVersion))
			h.Version = versionOf(r.fields[f])
			if subtype, b, ok := sub.Lookup(wrappedDEK).BinaryOK(); ok {
				h.WrappedDEK, r.subtype[f] = append([]byte{}, b...), subtype
			}
		case !holds(field): // absent, or something that is no secret of ours
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

// holds reports whether an envelope lies anywhere within a value.
func holds(v bson.RawValue) bool {
	found := false
	walk(v, "", func(string) { found = true })
	return found
}

// walk calls found with the path of every sub-document that has a wrapped DEK.
func walk(v bson.RawValue, path string, found func(path string)) {
	var elements []bson.RawElement
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		if _, err := v.Document().LookupErr(wrappedDEK); err == nil {
			found(path)
			return
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
	n, ok := v.AsInt64OK()
	if !ok || n < 1 || n > int64(kek.MaxVersion) || v.AsFloat64() != float64(n) {
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

// was is the condition that a field still is what was read.
func was(name string, v bson.RawValue) bson.E {
	if v.IsZero() || v.Type == 0 {
		return bson.E{Key: name, Value: exists(false)}
	}
	return bson.E{Key: name, Value: v}
}
