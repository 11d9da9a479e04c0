package mongo

import (
	"bytes"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// ref is a Document's ID.
type ref struct{ id bson.RawValue }

// reading is a record as it was read: the very values that a compare-and-swap demands.
type reading struct {
	version bson.RawValue // outer; zero: absent
	spots   []spot
	arrays  []envelope.Array
}

// spot is what a record has of an envelope, or that it has none.
type spot struct {
	envelope.Spot
	place   *envelope.Place
	version bson.RawValue   // zero: absent
	wrapped []bson.RawValue // the parts of its wrapped DEK; zero: absent
	payload []bson.RawValue // nonce and ciphertext, if they are read
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

// dotted is a path in a query: elements of arrays are named by number, and all of one not at all.
func dotted(path string) string {
	return strings.NewReplacer("[]", "", "[", ".", "]", "").Replace(path)
}

// document reads what a page holds of one record. What is kept is copied: a record may be large, and little
// of it an envelope.
func document(raw bson.Raw, c envelope.Collection) store.Document {
	r := reading{}
	if c.Outer != "" {
		r.version = kept(raw.Lookup(strings.Split(c.Outer, ".")...))
	}
	id := kept(raw.Lookup("_id"))
	d := store.Document{ID: ref{id}, Version: versionOf(r.version)}
	d.Bound, _ = tree{id}.ID() // none of a type that nothing is bound to
	root := tree{bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}}
	for i, p := range c.Places {
		spots, arrays := p.Spots(root)
		r.arrays = append(r.arrays, arrays...)
		for _, s := range spots {
			r.spots = append(r.spots, spotOf(&c.Places[i], s, c.Payloads))
		}
	}
	for _, s := range r.spots {
		if s.Value != nil {
			d.Envelopes = append(d.Envelopes, s.held())
		}
	}
	d.Read = r
	return d
}

// kept is a copy of a value.
func kept(v bson.RawValue) bson.RawValue {
	v.Value = bytes.Clone(v.Value)
	return v
}

// spotOf keeps of an envelope what a swap compares; that there is a value, and not which.
func spotOf(p *envelope.Place, s envelope.Spot, payload bool) spot {
	found := spot{Spot: s, place: p}
	if s.Value == nil {
		return found
	}
	found.Value = tree{}
	if s.List {
		return found
	}
	object := s.Value.(tree).raw.Document()
	found.version = kept(object.Lookup(p.Parts.KEKVersion))
	for _, name := range p.Wrapped() {
		found.wrapped = append(found.wrapped, kept(object.Lookup(name)))
	}
	if payload {
		found.payload = []bson.RawValue{kept(object.Lookup(p.Parts.Nonce)), kept(object.Lookup(p.Parts.Ciphertext))}
	}
	found.Keys = slices.Clone(s.Keys)
	for i, k := range found.Keys {
		if value, ok := k.Value.(tree); ok {
			found.Keys[i].Value = tree{kept(value.raw)}
		}
	}
	return found
}

// held is the envelope at a spot. A list of envelopes is none that a key opens.
func (s spot) held() store.Held {
	h := store.Held{Path: s.Path, Keys: s.Keys}
	if s.List {
		return h
	}
	values := make([]any, len(s.wrapped))
	for i, v := range s.wrapped {
		values[i] = tree{v}.Value()
	}
	h.Version = versionOf(s.version)
	h.WrappedDEK, _ = s.place.Read(values)
	if len(s.payload) == 2 {
		h.Nonce = s.place.Bytes.Stored(tree{s.payload[0]}.Value())
		h.Ciphertext = s.place.Bytes.Stored(tree{s.payload[1]}.Value())
	}
	return h
}

// versionOf is a whole number of any BSON type as a version, else 0.
func versionOf(v bson.RawValue) kek.Version { return envelope.VersionOf(tree{v}.Value()) }

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
