package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

const (
	singleton = "singleton" // the one document of kek_install
	active    = "active"    // the pointer, among the versions
)

type lockDoc struct {
	Provider string
	Chain    string
	Ceremony int
	Roster   string
}

// Lock implements store.Keys.
func (s *Store) Lock(ctx context.Context) (store.Lock, error) {
	var d lockDoc
	if err := s.find(ctx, s.own(install), singleton, &d); err != nil {
		return store.Lock{}, fmt.Errorf("read kek_install: %w", err)
	}
	return store.Lock{Provider: d.Provider, Chain: kek.Chain(d.Chain), Ceremony: d.Ceremony, Roster: d.Roster}.Read()
}

// InsertLock implements store.Keys.
func (s *Store) InsertLock(ctx context.Context, l store.Lock) error {
	err := s.insert(ctx, s.own(install), singleton, bson.D{
		{Key: "provider", Value: l.Provider},
		{Key: "chain", Value: string(l.Chain)},
		{Key: "ceremony", Value: l.Ceremony},
		{Key: "roster", Value: l.Roster},
	})
	if err != nil {
		return fmt.Errorf("insert kek_install: %w", err)
	}
	return nil
}

type kekDoc struct {
	Version  int `bson:"_id"`
	Provider string
	State    string
	Label    string
	KeyID    string `bson:"key_id"`
	Canary   struct {
		Wrapped []byte
		SHA256  string `bson:"sha256"`
	}
	Ceremony int
	Created  time.Time
	Bound    bool
}

// KEKs implements store.Keys.
func (s *Store) KEKs(ctx context.Context) ([]store.KEK, error) {
	docs, err := list[kekDoc](ctx, s, s.own(versions), bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: active}}}})
	if err != nil {
		return nil, fmt.Errorf("read kek_versions: %w", err)
	}
	keks := make([]store.KEK, len(docs))
	for i, d := range docs {
		keks[i] = store.KEK{
			Version:  kek.Version(d.Version),
			Provider: d.Provider,
			State:    store.State(d.State),
			Label:    d.Label,
			ID:       d.KeyID,
			Canary:   store.Canary{Wrapped: d.Canary.Wrapped, SHA256: d.Canary.SHA256},
			Ceremony: d.Ceremony,
			Created:  d.Created.UTC(),
			Bound:    d.Bound,
		}
	}
	return keks, nil
}

// InsertKEK implements store.Keys.
func (s *Store) InsertKEK(ctx context.Context, k store.KEK) error {
	row := bson.D{
		{Key: "provider", Value: k.Provider},
		{Key: "state", Value: string(k.State)},
		{Key: "label", Value: k.Label},
		{Key: "key_id", Value: k.ID},
		{Key: "canary", Value: bson.D{{Key: "wrapped", Value: k.Canary.Wrapped}, {Key: "sha256", Value: k.Canary.SHA256}}},
		{Key: "ceremony", Value: k.Ceremony},
		{Key: "created", Value: k.Created.UTC()},
	}
	if k.Bound {
		row = append(row, bson.E{Key: "bound", Value: true})
	}
	err := s.insert(ctx, s.own(versions), int(k.Version), row)
	if err != nil {
		return fmt.Errorf("insert version %d: %w", k.Version, err)
	}
	return nil
}

// MoveKEK implements store.Keys.
func (s *Store) MoveKEK(ctx context.Context, v kek.Version, from, to store.State) error {
	if err := store.CheckMove(v, from, to); err != nil {
		return err
	}
	err := s.swap(ctx, s.own(versions), append(byID(int(v)), bson.E{Key: "state", Value: string(from)}),
		bson.D{{Key: "state", Value: string(to)}})
	if err != nil {
		return fmt.Errorf("move version %d from %s to %s: %w", v, from, to, err)
	}
	return nil
}

type activeDoc struct{ Version, Epoch int }

// Active implements store.Keys.
func (s *Store) Active(ctx context.Context) (store.Active, error) {
	var d activeDoc
	if err := s.find(ctx, s.own(versions), active, &d); err != nil {
		return store.Active{}, fmt.Errorf("read the active version: %w", err)
	}
	return store.Active{Version: kek.Version(d.Version), Epoch: d.Epoch}, nil
}

// MoveActive implements store.Keys.
func (s *Store) MoveActive(ctx context.Context, from, to store.Active) error {
	pointer := func(a store.Active) bson.D {
		return bson.D{{Key: "version", Value: int(a.Version)}, {Key: "epoch", Value: a.Epoch}}
	}
	var err error
	if from == (store.Active{}) {
		if err = s.insert(ctx, s.own(versions), active, pointer(to)); errors.Is(err, store.ErrExists) {
			err = store.ErrConflict
		}
	} else {
		err = s.swap(ctx, s.own(versions), append(byID(active), pointer(from)...), pointer(to))
	}
	if err != nil {
		return fmt.Errorf("move the active version from %d to %d: %w", from.Version, to.Version, err)
	}
	return nil
}

type wrapsDoc struct {
	Version  int `bson:"_id"`
	Reserved int64
}

// ReserveWraps implements store.Keys.
func (s *Store) ReserveWraps(ctx context.Context, v kek.Version, n int) (kek.Wraps, error) {
	var d wrapsDoc
	err := s.again(ctx, func(ctx context.Context, _ bool) error {
		return s.db.Collection(s.own(wraps)).FindOneAndUpdate(ctx, byID(int(v)),
			bson.D{{Key: "$inc", Value: bson.D{{Key: "reserved", Value: int64(n)}}}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&d)
	})
	if err != nil {
		return 0, fmt.Errorf("count wraps of version %d: %w", v, err)
	}
	return kek.Wraps(d.Reserved), nil
}

// Wraps implements store.Keys.
func (s *Store) Wraps(ctx context.Context) (map[kek.Version]kek.Wraps, error) {
	docs, err := list[wrapsDoc](ctx, s, s.own(wraps), bson.D{})
	if err != nil {
		return nil, fmt.Errorf("read kek_wraps: %w", err)
	}
	all := map[kek.Version]kek.Wraps{}
	for _, d := range docs {
		all[kek.Version(d.Version)] = kek.Wraps(d.Reserved)
	}
	return all, nil
}
