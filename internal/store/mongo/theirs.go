package mongo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// fits is the condition that a record is the pointer's.
func fits(p store.Pointer) bson.D {
	filter := bson.D{}
	for _, name := range slices.Sorted(maps.Keys(p.Filter)) {
		filter = append(filter, bson.E{Key: name, Value: bson.D{{Key: "$eq", Value: p.Filter[name]}}})
	}
	return filter
}

// TheirActive implements store.Theirs.
func (s *Store) TheirActive(ctx context.Context, p store.Pointer) (kek.Version, error) {
	_, v, err := s.pointed(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("read pointer %s: %w", p, err)
	}
	return versionOf(v), nil
}

// pointed reads the record of a pointer: its id, and the field.
func (s *Store) pointed(ctx context.Context, p store.Pointer) (id, v bson.RawValue, err error) {
	var found []bson.Raw
	err = s.again(ctx, func(ctx context.Context, _ bool) error {
		cursor, err := s.db.Collection(p.Collection).Find(ctx, fits(p), options.Find().SetLimit(2))
		if err != nil {
			return err
		}
		found = nil
		return cursor.All(ctx, &found)
	})
	switch {
	case err != nil:
		return id, v, err
	case len(found) == 0:
		return id, v, store.ErrNotFound
	case len(found) > 1:
		return id, v, fmt.Errorf("more than one record: %w", store.ErrPointer)
	}
	id, v = found[0].Lookup("_id"), found[0].Lookup(strings.Split(p.Field, ".")...)
	if versionOf(v) == 0 {
		return id, v, store.ErrPointer
	}
	return id, v, nil
}

// MoveTheirActive implements store.Theirs.
func (s *Store) MoveTheirActive(ctx context.Context, p store.Pointer, from, to kek.Version) error {
	id, v, err := s.pointed(ctx, p)
	if err == nil && versionOf(v) != from {
		err = store.ErrConflict
	}
	if err == nil {
		still := slices.DeleteFunc(fits(p), func(e bson.E) bool { return e.Key == "_id" })
		err = s.swap(ctx, p.Collection, append(append(byID(id), still...), was(p.Field, v)),
			bson.D{{Key: p.Field, Value: like(v, to)}})
	}
	if err != nil {
		return fmt.Errorf("move pointer %s from %d to %d: %w", p, from, to, err)
	}
	return nil
}

// OtherLock implements store.Theirs.
func (s *Store) OtherLock(ctx context.Context) (l store.Lock, name string, err error) {
	all, err := s.collections(ctx)
	if err != nil {
		return l, "", fmt.Errorf("list collections: %w", err)
	}
	for _, c := range all {
		name := c.Name
		if !strings.HasSuffix(name, "_install") || name == s.own(install) {
			continue
		}
		var record bson.Raw
		err := s.find(ctx, name, singleton, &record)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return l, name, fmt.Errorf("read %s: %w", name, err)
		}
		chain, _ := record.Lookup("chain").StringValueOK()
		if l, err := (store.Lock{Chain: kek.Chain(chain)}).Ours(); err == nil {
			return l, name, nil
		}
	}
	return l, "", fmt.Errorf("look for another lock: %w", store.ErrNotFound)
}

// Occupied implements store.Theirs.
func (s *Store) Occupied(ctx context.Context) (string, error) {
	for _, name := range []string{s.own(events), s.own(refusals), s.own(heartbeats)} {
		var record bson.Raw
		err := s.again(ctx, func(ctx context.Context, _ bool) error {
			return s.db.Collection(name).FindOne(ctx, bson.D{}).Decode(&record)
		})
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, store.ErrNotFound):
			return "", fmt.Errorf("look at %s: %w", name, err)
		}
	}
	return "", nil
}
