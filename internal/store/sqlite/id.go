package sqlite

import (
	"encoding/json"
	"fmt"
)

// anID is an id of any of SQLite's types as JSON.
type anID struct {
	Int  *int64   `json:"int,omitempty"`
	Real *float64 `json:"real,omitempty"`
	Text *string  `json:"text,omitempty"`
	Blob []byte   `json:"blob,omitempty"`
}

// EncodeID implements store.Envelopes.
func (s *Store) EncodeID(id any) (string, error) {
	var a anID
	switch id := id.(type) {
	case int64:
		a.Int = &id
	case float64:
		a.Real = &id
	case string:
		a.Text = &id
	case []byte:
		a.Blob = id
	default:
		return "", fmt.Errorf("encode id: a %T", id)
	}
	data, err := json.Marshal(a)
	return string(data), err
}

// DecodeID implements store.Envelopes.
func (s *Store) DecodeID(text string) (any, error) {
	var a anID
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return nil, fmt.Errorf("decode id: %w", err)
	}
	switch {
	case a.Int != nil:
		return *a.Int, nil
	case a.Real != nil:
		return *a.Real, nil
	case a.Text != nil:
		return *a.Text, nil
	case a.Blob != nil:
		return a.Blob, nil
	}
	return nil, fmt.Errorf("decode id: %q", text)
}
