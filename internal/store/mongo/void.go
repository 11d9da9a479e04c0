package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// voidDoc is ceremonyDoc and its entries under the chain: one document, and so one insert.
type voidDoc struct {
	Chain    string `bson:"_id"`
	Ceremony struct {
		Seq                                      int
		Kind, Mode, Bundle, Outcome, Head, Final string
	}
	Entries []struct{ Name, Data string }
}

// Voids implements store.Log.
func (s *Store) Voids(ctx context.Context) ([]store.Void, error) {
	docs, err := list[voidDoc](ctx, s, s.own(voids), bson.D{})
	if err != nil {
		return nil, fmt.Errorf("read kek_void: %w", err)
	}
	var all []store.Void
	for _, d := range docs {
		v := store.Void{Chain: kek.Chain(d.Chain), Ceremony: store.Ceremony(d.Ceremony)}
		for _, e := range d.Entries {
			v.Entries = append(v.Entries, store.Entry{Ceremony: v.Ceremony.Seq, Name: e.Name, Data: []byte(e.Data)})
		}
		all = append(all, v)
	}
	return all, nil
}

// InsertVoid implements store.Log.
func (s *Store) InsertVoid(ctx context.Context, v store.Void) error {
	entries := bson.A{}
	for _, e := range v.Entries {
		entries = append(entries, bson.D{{Key: "name", Value: e.Name}, {Key: "data", Value: string(e.Data)}})
	}
	err := s.insert(ctx, s.own(voids), string(v.Chain), bson.D{
		{Key: "ceremony", Value: append(bson.D{{Key: "seq", Value: v.Ceremony.Seq}}, about(v.Ceremony)...)},
		{Key: "entries", Value: entries},
	})
	if err != nil {
		return fmt.Errorf("insert void of chain %s: %w", v.Chain, err)
	}
	return nil
}

// about is a ceremony but for its number.
func about(c store.Ceremony) bson.D {
	return append(bson.D{{Key: "kind", Value: c.Kind}, {Key: "mode", Value: c.Mode}, {Key: "bundle", Value: c.Bundle}},
		ending(c)...)
}

// DeleteVoid implements store.Log.
func (s *Store) DeleteVoid(ctx context.Context, chain kek.Chain) error {
	all, err := s.Voids(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(v store.Void) bool { return v.Chain == chain })
	if i < 0 {
		return fmt.Errorf("void of chain %s: %w", chain, store.ErrNotFound)
	}
	for _, e := range slices.Backward(all[i].Entries) {
		id := entryID(e.Ceremony, e.Name)
		if err := s.remove(ctx, s.own(events), append(byID(id), bson.E{Key: "data", Value: string(e.Data)})); err != nil {
			return fmt.Errorf("delete %s from kek_events: %w", id, err)
		}
	}
	c := all[i].Ceremony
	if err := s.remove(ctx, s.own(ceremonies), append(byID(c.Seq), about(c)...)); err != nil {
		return fmt.Errorf("delete ceremony %d: %w", c.Seq, err)
	}
	return nil
}

// remove deletes the one document that is as the filter says, if it is there.
func (s *Store) remove(ctx context.Context, collection string, filter bson.D) error {
	return s.again(ctx, func(ctx context.Context, _ bool) error {
		_, err := s.db.Collection(collection).DeleteOne(ctx, filter)
		return err
	})
}
