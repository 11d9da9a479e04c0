package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// there is the condition that a place holds an envelope, or what looks like one.
func there(p envelope.Place) bson.D {
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: dotted(p.Path) + "." + p.Parts.WrappedDEK, Value: exists(true)}},
		bson.D{{Key: dotted(p.Path) + "." + p.Parts.KEKVersion, Value: exists(true)}},
	}}}
}

// Page implements store.Envelopes. It goes by _id, and asks for all kinds of ids that are left at once.
// The server finds the records that could be due, as it does not look at each element of an array by
// itself: more at once, while they are not. A page ends early where it is large.
func (s *Store) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, id any, limit int,
) (docs []store.Document, err error) {
	at, pace := position{}, s.paces.ofPage(c.Name, s.pace(limit, 0, s.testOnlyPageSize))
	if r, ok := id.(ref); ok {
		at = startingAfter(r.id)
	}
	pace.n, pace.most = min(pace.n, limit), max(limit, store.Candidates)
	due := query{collection: c.Name, filter: bson.D{{Key: "$or", Value: due(c, to)}}, fields: projection(c)}
	size := 0
	for more := true; more && len(docs) < limit && size < pace.size; {
		p, err := s.portion(ctx, due, &at, &pace)
		if err != nil {
			return nil, fmt.Errorf("read a page of %s: %w", c.Name, err)
		}
		for _, raw := range p.docs {
			if d := document(raw, c); d.Due(c, to) && len(docs) < limit {
				docs = append(docs, d)
				size += len(raw)
			}
		}
		more = p.more
	}
	s.paces.keep(c.Name, pace)
	return docs, nil
}

// due is the condition that a record may have an envelope not at the target.
func due(c envelope.Collection, to kek.Version) bson.A {
	var any bson.A
	for _, p := range c.Places {
		if p.HasArrays() {
			any = append(any, there(p))
			continue
		}
		stale := not(p.Path+"."+p.Parts.KEKVersion, to)
		if c.Outer != "" {
			stale = append(stale, not(c.Outer, to)...)
		}
		any = append(any, bson.D{{Key: "$and", Value: bson.A{there(p), bson.D{{Key: "$or", Value: stale}}}}})
	}
	return any
}

// not is the condition that a version is another one. An array of versions is one too, whatever
// is in it, and so is one in an array: $ne would look inside.
func not(version string, to kek.Version) bson.A {
	conditions := bson.A{bson.D{{Key: version, Value: bson.D{{Key: "$ne", Value: int(to)}}}}}
	names := strings.Split(version, ".")
	for i := range names {
		conditions = append(conditions, bson.D{{Key: strings.Join(names[:i+1], "."), Value: isArray}})
	}
	return conditions
}

// isArray is the condition that a field is an array.
var isArray = bson.D{{Key: "$type", Value: "array"}}

// projection are the parts of records that a page needs. Of an array, all is read: the server
// would leave elements out, and the others would have other numbers.
func projection(c envelope.Collection) bson.D {
	paths := []string{"_id"}
	add := func(path string) {
		within := func(path, other string) bool { return strings.HasPrefix(path+".", other+".") }
		if slices.ContainsFunc(paths, func(p string) bool { return within(path, p) }) {
			return
		}
		paths = slices.DeleteFunc(paths, func(p string) bool { return within(p, path) })
		paths = append(paths, path)
	}
	for _, p := range c.Places {
		if array, _, ok := strings.Cut(p.Path, "[]"); ok {
			add(array)
		}
	}
	if c.Outer != "" {
		add(c.Outer)
	}
	for _, p := range c.Places {
		if p.HasArrays() {
			continue
		}
		parts := append(p.Wrapped(), p.Parts.KEKVersion)
		if c.Payloads {
			parts = append(parts, p.Parts.Nonce, p.Parts.Ciphertext)
		}
		for _, part := range parts {
			add(p.Path + "." + part)
		}
	}
	fields := make(bson.D, len(paths))
	for i, path := range paths {
		fields[i] = bson.E{Key: path, Value: 1}
	}
	return fields
}
