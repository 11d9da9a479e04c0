package mongo

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// EncodeID implements store.Envelopes: extended JSON, which keeps every type.
func (s *Store) EncodeID(id any) (string, error) {
	data, err := bson.MarshalExtJSON(bson.D{{Key: "_id", Value: id.(ref).id}}, true, false)
	return string(data), err
}

// DecodeID implements store.Envelopes.
func (s *Store) DecodeID(text string) (any, error) {
	var raw bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(text), true, &raw); err != nil {
		return nil, fmt.Errorf("decode id: %w", err)
	}
	id, err := raw.LookupErr("_id")
	if err != nil {
		return nil, fmt.Errorf("decode id: %w", err)
	}
	if placeOf(id.Type) < 0 {
		return nil, fmt.Errorf("decode id: no id is a %s", id.Type)
	}
	return ref{id}, nil
}
