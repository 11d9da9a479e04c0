package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Swap implements store.Envelopes by unordered bulks of updates, each a
// compare-and-swap of one record.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) (took []bool, err error) {
	for some := range slices.Chunk(swaps, bulkSize) {
		t, err := s.bulk(ctx, c, some)
		if err != nil {
			return took, err
		}
		took = append(took, t...)
	}
	return took, nil
}

// bulk does one bulk. One whose answer was lost is done again: what took effect
// the first time no longer matches. Where not every update found its record, the
// records are read back (promise 3), after an answer that the majority has them.
func (s *Store) bulk(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	models := make([]driver.WriteModel, len(swaps))
	for i, sw := range swaps {
		models[i] = driver.NewUpdateOneModel().SetFilter(unchanged(c, sw.Old)).SetUpdate(set(renewed(sw)))
	}
	var matched int64
	err := s.again(ctx, attempt, func(ctx context.Context, _ bool) error {
		r, err := s.db.Collection(c.Name).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if refused := (driver.BulkWriteException{}); errors.As(err, &refused) && len(refused.WriteErrors) > 0 && !open(err) {
			w := refused.WriteErrors[0]
			return fmt.Errorf("record %s: the server refuses the update: %s", swaps[w.Index].Old.ID, w.Message)
		}
		if err == nil {
			matched = r.MatchedCount
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("swap envelopes of %s: %w", c.Name, err)
	}
	if matched == int64(len(swaps)) {
		return slices.Repeat([]bool{true}, len(swaps)), nil
	}
	took, err := s.took(ctx, c, swaps)
	if err != nil {
		return nil, fmt.Errorf("read back envelopes of %s: %w", c.Name, err)
	}
	return took, nil
}

// unchanged is the filter of design section 4: the record as it was read.
func unchanged(c envelope.Collection, d store.Document) bson.D {
	r := d.ID.(ref)
	filter := append(byID(r.id), was(kekVersion, r.version))
	seen := map[string]bool{}
	for _, h := range d.Envelopes {
		seen[h.Field] = true
		part := r.parts[h.Field]
		if part.array { // left as it is, and reported as undecryptable
			filter = append(filter, bson.E{Key: h.Field, Value: isArray})
			continue
		}
		if len(h.WrappedDEK) > 0 {
			part.dek = bson.Binary{Subtype: part.subtype, Data: h.WrappedDEK}
		}
		filter = append(filter, was(h.Field+"."+kekVersion, part.version), was(h.Field+"."+wrappedDEK, part.dek))
	}
	for _, f := range c.Fields {
		if !seen[f] {
			filter = append(filter, bson.E{Key: f + "." + wrappedDEK, Value: exists(false)})
		}
	}
	return filter
}

// renewed is what the update sets: wrapped DEKs and versions, nothing else.
func renewed(sw store.Swap) bson.D {
	r := sw.Old.ID.(ref)
	fields := bson.D{{Key: kekVersion, Value: like(r.version, sw.To)}}
	for _, n := range sw.New {
		part := r.parts[n.Field]
		fields = append(fields,
			bson.E{Key: n.Field + "." + wrappedDEK, Value: bson.Binary{Subtype: part.subtype, Data: n.WrappedDEK}},
			bson.E{Key: n.Field + "." + kekVersion, Value: like(part.version, n.Version)})
	}
	return fields
}

// took reads the records back and reports which hold the new bytes.
func (s *Store) took(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	ids := make(bson.A, len(swaps))
	for i, sw := range swaps {
		ids[i] = sw.Old.ID.(ref).id
	}
	docs, err := s.page(ctx, attempt, c, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, len(ids))
	if err != nil {
		return nil, err
	}
	now := map[string]store.Document{}
	for _, d := range docs {
		now[key(d)] = d
	}
	took := make([]bool, len(swaps))
	for i, sw := range swaps {
		d, ok := now[key(sw.Old)]
		took[i] = ok && d.Version == sw.To && !slices.ContainsFunc(sw.New, func(n store.Held) bool { return !has(d, n) })
	}
	return took, nil
}

func key(d store.Document) string {
	id := d.ID.(ref).id
	return string(append([]byte{byte(id.Type)}, id.Value...))
}

func has(d store.Document, n store.Held) bool {
	return slices.ContainsFunc(d.Envelopes, func(h store.Held) bool {
		return h.Field == n.Field && h.Version == n.Version && bytes.Equal(h.WrappedDEK, n.WrappedDEK)
	})
}
