package mongo

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/store"
)

type ceremonyDoc struct {
	Seq     int `bson:"_id"`
	Kind    string
	Mode    string
	Bundle  string
	Outcome string
	Head    string
	Final   string
}

// Ceremonies implements store.Log.
func (s *Store) Ceremonies(ctx context.Context) ([]store.Ceremony, error) {
	docs, err := list[ceremonyDoc](ctx, s, s.own(ceremonies), bson.D{})
	if err != nil {
		return nil, fmt.Errorf("read kek_ceremonies: %w", err)
	}
	all := make([]store.Ceremony, len(docs))
	for i, d := range docs {
		all[i] = store.Ceremony(d)
	}
	return all, nil
}

// ending is what closing a ceremony writes.
func ending(c store.Ceremony) bson.D {
	return bson.D{{Key: "outcome", Value: c.Outcome}, {Key: "head", Value: c.Head}, {Key: "final", Value: c.Final}}
}

// OpenCeremony implements store.Log.
func (s *Store) OpenCeremony(ctx context.Context, c store.Ceremony) error {
	c.Outcome, c.Head, c.Final = "", "", ""
	if err := s.insert(ctx, s.own(ceremonies), c.Seq, about(c)); err != nil {
		return fmt.Errorf("open ceremony %d: %w", c.Seq, err)
	}
	_ = s.indexHeartbeats(ctx) // without it, or with one of the administrator's, the gate reads more
	return nil
}

// CloseCeremony implements store.Log.
func (s *Store) CloseCeremony(ctx context.Context, c store.Ceremony) error {
	is := func(c store.Ceremony) bson.D { return ending(c) }
	err := s.swap(ctx, s.own(ceremonies),
		append(byID(c.Seq), bson.E{Key: "$or", Value: bson.A{is(store.Ceremony{}), is(c)}}), ending(c))
	if err != nil {
		return fmt.Errorf("close ceremony %d: %w", c.Seq, err)
	}
	return nil
}

// entryID is "seq/name", so that one id range holds the entries of a ceremony.
func entryID(ceremony int, name string) string { return fmt.Sprintf("%d/%s", ceremony, name) }

// AppendEntry implements store.Log.
func (s *Store) AppendEntry(ctx context.Context, e store.Entry) error {
	// As text, so that people can read it with any client.
	err := s.insert(ctx, s.own(events), entryID(e.Ceremony, e.Name), bson.D{{Key: "data", Value: string(e.Data)}})
	if err != nil {
		return fmt.Errorf("append %d/%s to kek_events: %w", e.Ceremony, e.Name, err)
	}
	return nil
}

// Entries implements store.Log.
func (s *Store) Entries(ctx context.Context, ceremony int) ([]store.Entry, error) {
	first, last := entryID(ceremony, ""), fmt.Sprintf("%d0", ceremony) // "0" is the character after "/"
	docs, err := list[struct {
		ID   string `bson:"_id"`
		Data string
	}](ctx, s, s.own(events), bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: first}, {Key: "$lt", Value: last}}}})
	if err != nil {
		return nil, fmt.Errorf("read kek_events of ceremony %d: %w", ceremony, err)
	}
	var all []store.Entry
	for _, d := range docs {
		all = append(all, store.Entry{Ceremony: ceremony, Name: strings.TrimPrefix(d.ID, first), Data: []byte(d.Data)})
	}
	return all, nil
}
