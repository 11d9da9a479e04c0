package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
)

// bulksOf is what a server takes, by its version.
func (s *Store) bulksOf(ctx context.Context) bulks {
	var info struct {
		Version  string
		FerretDB string `bson:"ferretdbVersion"`
	}
	err := s.again(ctx, func(ctx context.Context, _ bool) error {
		return s.db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info)
	})
	if err != nil || info.Version == "" || strings.HasPrefix(info.FerretDB, "v1.") || info.FerretDB == "unknown" {
		return oneByOne
	}
	return manyBulks
}

// Swap implements store.Envelopes by unordered bulks of updates, each a compare-and-swap of one record. After
// an error in one of them no further one is begun, and those under way are waited for.
func (s *Store) Swap(ctx context.Context, c envelope.Collection, swaps []store.Swap) (took []bool, err error) {
	for len(swaps) > 0 && err == nil {
		size := s.bulkSize()
		n := min(len(swaps), size*s.bulks.atOnce)
		each := slices.Collect(slices.Chunk(swaps[:n], size))
		answers := make([][]bool, len(each))
		err = s.bulks.allAtOnce(len(each), func(i int) (err error) {
			answers[i], err = s.oneBulk(ctx, c, each[i])
			return err
		})
		for _, answer := range answers {
			if answer == nil { // an error's; a swap is told by its place
				break
			}
			took = append(took, answer...)
		}
		swaps = swaps[n:]
	}
	return took, err
}

// bulkSize is how many updates a bulk has now.
func (s *Store) bulkSize() int {
	if n := int(s.fewer.Load()); n > 0 {
		return min(n, s.bulks.size)
	}
	return s.bulks.size
}

// oneBulk does one bulk. One whose answer was lost is done again: what took effect
// the first time no longer matches. Where not every update found its record, the
// records are read back (promise 3), after an answer that the majority has them.
func (s *Store) oneBulk(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	models := make([]driver.WriteModel, len(swaps))
	for i, sw := range swaps {
		filter, err := unchanged(c, sw.Old)
		if err != nil {
			return nil, err
		}
		fields, err := renewed(c, sw)
		if err != nil {
			return nil, err
		}
		models[i] = driver.NewUpdateOneModel().SetFilter(filter).SetUpdate(set(fields))
	}
	matched, err := s.update(ctx, c, swaps, models)
	if err != nil {
		return nil, fmt.Errorf("swap envelopes of %s: %w", c.Name, err)
	}
	if matched == int64(len(swaps)) && !s.sharded { // on two shards, one update may match two records of one id
		return slices.Repeat([]bool{true}, len(swaps)), nil
	}
	took, err := s.took(ctx, c, swaps)
	if err != nil {
		return nil, fmt.Errorf("read back envelopes of %s: %w", c.Name, err)
	}
	return took, nil
}

// update writes a bulk, and says how many records it found. After silence, the bulk is written in parts, as it may
// be too much for one answer; what took effect the first time is not found by them. The next bulks are smaller.
func (s *Store) update(
	ctx context.Context, c envelope.Collection, swaps []store.Swap, models []driver.WriteModel,
) (matched int64, err error) {
	began := time.Now()
	err = s.again(ctx, func(ctx context.Context, _ bool) error {
		r, err := s.db.Collection(c.Name).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		switch {
		case err == nil:
			matched = r.MatchedCount
		case driver.IsTimeout(err) && len(models) > 1:
			return errTooMuch
		}
		return s.refusedUpdate(err, swaps)
	})
	if !errors.Is(err, errTooMuch) {
		if err == nil && len(models) >= s.bulkSize() && time.Since(began) < s.testOnlyAttempt/4 {
			s.fewer.Store(int64(2 * len(models)))
		}
		return matched, err
	}
	part := max(1, len(models)/4)
	s.fewer.Store(int64(part))
	for i := 0; i < len(models); i += part {
		end := min(i+part, len(models))
		n, err := s.update(ctx, c, swaps[i:end], models[i:end])
		if matched += n; err != nil {
			return matched, err
		}
	}
	return matched, nil
}

// refusedUpdate names the record whose update the server refuses by itself. A refusal of the user is of
// all of them.
func (s *Store) refusedUpdate(err error, swaps []store.Swap) error {
	var all driver.BulkWriteException
	if !errors.As(err, &all) || len(all.WriteErrors) == 0 || open(err) || s.asked.refused(err) != nil {
		return err
	}
	w := all.WriteErrors[0]
	return fmt.Errorf("record %s: the server refuses the update: %s", swaps[w.Index].Old.ID, w.Message)
}

// unchanged is the filter of design section 4: the record as it was read. The bytes to replace
// must be those (promise 3).
func unchanged(c envelope.Collection, d store.Document) (bson.D, error) {
	r := d.Read.(reading)
	filter := byID(d.ID.(ref).id)
	if c.Outer != "" {
		filter = append(filter, was(c.Outer, r.version))
	}
	for _, a := range r.arrays {
		filter = append(filter, bson.E{Key: dotted(a.Path), Value: bson.D{{Key: "$size", Value: a.N}}})
	}
	for _, s := range r.spots {
		switch {
		case s.Value == nil:
			filter = append(filter, bson.E{Key: dotted(s.Path) + "." + s.place.Parts.WrappedDEK, Value: exists(false)})
		case s.List: // left as it is, and reported as undecryptable
			filter = append(filter, bson.E{Key: dotted(s.Path), Value: isArray})
		case !d.Has(s.held()):
			return nil, fmt.Errorf("record %s: %s: the bytes to replace are not those that were read", d.ID, s.Path)
		default:
			filter = append(filter, was(dotted(s.Path)+"."+s.place.Parts.KEKVersion, s.version))
			for i, name := range s.place.Wrapped() {
				filter = append(filter, was(dotted(s.Path)+"."+name, s.wrapped[i]))
			}
			for _, k := range s.Keys { // the new bytes may be bound to them
				if value, ok := k.Value.(tree); ok {
					filter = append(filter, was(dotted(k.Path), value.raw))
				}
			}
		}
	}
	return filter, nil
}

// renewed is what the update sets: wrapped DEKs and versions, nothing else.
func renewed(c envelope.Collection, sw store.Swap) (bson.D, error) {
	r := sw.Old.Read.(reading)
	var fields bson.D
	if c.Outer != "" {
		fields = append(fields, bson.E{Key: c.Outer, Value: like(r.version, sw.To)})
	}
	for _, n := range sw.New {
		i := slices.IndexFunc(r.spots, func(s spot) bool { return s.Path == n.Path })
		if i < 0 {
			return nil, fmt.Errorf("record %s: nothing was read at %s", sw.Old.ID, n.Path)
		}
		s := r.spots[i]
		values, err := s.place.Write(n.WrappedDEK)
		if err != nil {
			return nil, fmt.Errorf("record %s: %s: %w", sw.Old.ID, n.Path, err)
		}
		for i, name := range s.place.Wrapped() {
			fields = append(fields, bson.E{Key: dotted(n.Path) + "." + name, Value: bytesLike(s.wrapped[i], values[i])})
		}
		fields = append(fields,
			bson.E{Key: dotted(n.Path) + "." + s.place.Parts.KEKVersion, Value: like(s.version, n.Version)})
	}
	return fields, nil
}

// bytesLike are bytes of the subtype that the application wrote.
func bytesLike(old bson.RawValue, v any) any {
	b, isBytes := v.([]byte)
	if !isBytes {
		return v
	}
	subtype, _, _ := old.BinaryOK()
	return bson.Binary{Subtype: subtype, Data: b}
}

// took reads the records back and reports which hold the new bytes.
func (s *Store) took(ctx context.Context, c envelope.Collection, swaps []store.Swap) ([]bool, error) {
	ids := make(bson.A, len(swaps))
	for i, sw := range swaps {
		ids[i] = sw.Old.ID.(ref).id
	}
	c.Payloads = false
	now := map[string][]store.Document{} // in a sharded cluster, two may have one id
	of := query{collection: c.Name, filter: bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		fields: projection(c)}
	err := s.whole(ctx, of, func(raw bson.Raw) error {
		d := document(raw, c)
		now[key(d)] = append(now[key(d)], d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	took := make([]bool, len(swaps))
	for i, sw := range swaps {
		took[i] = slices.ContainsFunc(now[key(sw.Old)], func(d store.Document) bool {
			lacks := func(n store.Held) bool { return !d.Has(n) }
			return (c.Outer == "" || d.Version == sw.To) && !slices.ContainsFunc(sw.New, lacks)
		})
	}
	return took, nil
}

func key(d store.Document) string {
	id := d.ID.(ref).id
	return string(append([]byte{byte(id.Type)}, id.Value...))
}
