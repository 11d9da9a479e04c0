// Package storetest is the suite that every backend of a store passes.
package storetest

import (
	"testing"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Record is a whole record as an application writes it.
type Record struct {
	Collection string
	ID         any
	Version    kek.Version // outer; 0: none
	Envelopes  map[string]envelope.Envelope
	Odd        []string // fields that hold something else than an envelope
}

// Application is what owns the records, with the backend's own means.
type Application interface {
	// Create makes a collection with some fields.
	Create(t *testing.T, c envelope.Collection)
	// Put writes a record over whatever is there.
	Put(t *testing.T, r Record)
	// Spoil writes a value where the version or the wrapped DEK of a field of things
	// stands, or with no field where the record's own version does.
	Spoil(t *testing.T, id any, field string, part Part, value any)
	// Get reads the fields of a record that hold an envelope.
	Get(t *testing.T, collection string, id any, fields ...string) Record
	// PutTree writes a record over whatever is there: maps, slices, text, bytes and int64. In SQLite
	// what is nested is JSON.
	PutTree(t *testing.T, collection, id string, record map[string]any)
	// Try does what Put does, in one write, and TryTree what PutTree does where there is such a record:
	// they return what the server says.
	Try(t *testing.T, r Record) error
	TryTree(t *testing.T, collection, id string, record map[string]any) error
	// GetTree reads it back.
	GetTree(t *testing.T, collection, id string) map[string]any
}

// Part is a part of an envelope that can be spoiled.
type Part string

// Parts, by their names in a store.
const (
	Version    Part = "kek_version"
	WrappedDEK Part = "wrapped_dek"
)

// Backend is one kind of store.
type Backend struct {
	// Open makes a fresh, empty store and its application.
	Open func(t *testing.T) (store.Store, Application)
	// IDs has two ids of each type that records can have.
	IDs []any
	// ID is the name of the field with a record's id.
	ID string
	// Refusal is what a fence says of a version to who writes into a collection.
	Refusal func(v kek.Version, collection string) []string
	// Nested are the encodings of bytes that are nested.
	Nested []envelope.Encoding
}
