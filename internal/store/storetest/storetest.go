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
	// Nested are the encodings of bytes that are nested.
	Nested []envelope.Encoding
}

// part of the suite.
type part struct {
	name string
	test func(*testing.T, Backend)
}

func run(t *testing.T, b Backend, parts []part) {
	for _, c := range parts {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, b)
		})
	}
}

// Run runs the whole suite.
func Run(t *testing.T, b Backend) {
	RunOwn(t, b)
	run(t, b, []part{
		{"a record that is not there", testAbsent},
		{"census", testCensus},
		{"pages", testPages},
		{"swap", testSwap},
		{"swap of a page of many", testManySwaps},
		{"swap of a record with three envelopes", testThree},
		{"strangers", testStrangers},
		{"something else in a field", testOdd},
		{"forms", testForms},
		{"arrays that change", testArrays},
		{"places that the catalogue lacks", testStrangeForms},
		{"an envelope of another form", testOtherForm},
		{"an envelope where there was none", testAbsence},
		{"a version that is none", testNoVersion},
		{"a wrapped DEK that is none", testNoDEK},
		{"a pointer of an application", testTheirs},
		{"a lock of another prefix", testOtherLock},
	})
}

// RunOwn runs the part about a ceremony's own records.
func RunOwn(t *testing.T, b Backend) {
	run(t, b, []part{
		{"lock", testLock},
		{"bad lock", testBadLock},
		{"versions", testVersions},
		{"wraps", testWraps},
		{"pointer", testPointer},
		{"ceremonies, of which nobody opens one twice (C08)", testCeremonies},
		{"entries", testEntries},
		{"an install that was given up", testVoid},
		{"one of many wins", testOneWins},
		{"heartbeats", testHeartbeats},
	})
}
