package mongo

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/store"
)

// readable refuses a catalogue with a place whose envelopes nobody could count, or re-wrap.
func (s *Store) readable(ctx context.Context, cat envelope.Catalogue) error {
	specs, err := s.collections(ctx)
	if err != nil {
		return fmt.Errorf("list collections: %w", err)
	}
	for _, c := range specs {
		if !inCatalogue(cat, c.Name) {
			continue
		}
		name := printable.Text(c.Name)
		switch c.Type {
		case "view":
			return fmt.Errorf("collection %s: it is a view, and its records are in another one: %w", name, store.ErrView)
		case "timeseries":
			return fmt.Errorf("collection %s: it is a time series, whose records are not updated one by one: %w", name,
				store.ErrView)
		}
		var o struct {
			EncryptedFields struct{ Fields []struct{ Path string } } `bson:"encryptedFields"`
		}
		if err := bson.Unmarshal(c.Options, &o); len(c.Options) > 0 && err != nil {
			return fmt.Errorf("collection %s: read its options: %w", name, s.safe(err))
		}
		for _, f := range o.EncryptedFields.Fields {
			for _, p := range cat {
				if p.Collection == c.Name && overlap(dotted(p.Path), f.Path) {
					return fmt.Errorf("place %s: Queryable Encryption covers %s: %w", p, printable.Text(f.Path), store.ErrOpaque)
				}
			}
		}
	}
	return nil
}

// overlap reports whether one of two paths is the other, or in it.
func overlap(a, b string) bool {
	return strings.HasPrefix(a+".", b+".") || strings.HasPrefix(b+".", a+".")
}

// subtypeEncrypted is BSON's binary of a field that a client encrypts: client-side field level encryption,
// and Queryable Encryption.
const subtypeEncrypted = 6

// covered is the condition that bytes stand where a place should have an envelope, or something on the way
// to it.
func covered(p envelope.Place) bson.D {
	var any bson.A
	names := strings.Split(dotted(p.Path), ".")
	for i := range names {
		any = append(any, bson.D{{Key: strings.Join(names[:i+1], "."), Value: bson.D{{Key: "$type", Value: "binData"}}}})
	}
	return bson.D{{Key: "$or", Value: any}}
}

// uncovered refuses a place where some record has what a client encrypted: a count would not have it.
func (s *Store) uncovered(ctx context.Context, p envelope.Place) error {
	names := strings.Split(dotted(p.Path), ".")
	q := query{collection: p.Collection, filter: covered(p), fields: bson.D{{Key: names[0], Value: 1}}}
	return s.walk(ctx, q, func(raw bson.Raw) error {
		if encrypted(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}, names) {
			return fmt.Errorf("record %s: %w", ref{raw.Lookup("_id")}, store.ErrOpaque)
		}
		return nil
	})
}

// encrypted reports whether a client encrypted what is at a path, or something on the way to it.
func encrypted(v bson.RawValue, names []string) bool {
	switch v.Type {
	case bson.TypeBinary:
		subtype, _ := v.Binary()
		return subtype == subtypeEncrypted
	case bson.TypeArray:
		values, _ := v.Array().Values()
		for _, e := range values {
			if encrypted(e, names) {
				return true
			}
		}
	case bson.TypeEmbeddedDocument:
		return len(names) > 0 && encrypted(v.Document().Lookup(names[0]), names[1:])
	}
	return false
}
