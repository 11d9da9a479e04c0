package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
// itself: more at once, while they are not.
func (s *Store) Page(
	ctx context.Context, c envelope.Collection, to kek.Version, id any, limit int,
) (docs []store.Document, err error) {
	at := position{}
	if r, ok := id.(ref); ok {
		at = startingAfter(r.id)
	}
	for n := limit; len(docs) < limit; n = min(2*n, max(limit, store.Candidates)) {
		// Where little is due, the server reads all that is left before it answers.
		some, err := s.page(ctx, long, c, bson.D{at.where(), {Key: "$or", Value: due(c, to)}}, n)
		if err != nil {
			return nil, fmt.Errorf("read a page of %s: %w", c.Name, err)
		}
		for _, raw := range some {
			if d := document(raw, c); d.Due(c, to) && len(docs) < limit {
				docs = append(docs, d)
			}
		}
		if len(some) == n {
			at.full(some)
		} else if !at.short() {
			break
		}
	}
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

// page reads one answer of the server.
func (s *Store) page(
	ctx context.Context, bound time.Duration, c envelope.Collection, filter bson.D, limit int,
) (docs []bson.Raw, err error) {
	err = s.again(ctx, bound, func(ctx context.Context, _ bool) (err error) {
		docs, err = s.read(ctx, c.Name, filter, projection(c), limit)
		return err
	})
	return docs, err
}
