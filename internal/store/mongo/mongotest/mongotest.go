// Package mongotest gives tests a MongoDB-speaking server: FerretDB, built from
// the nested module beside it, behind a proxy that lets one command run at a
// time, because FerretDB's updates are not atomic between connections. The
// environment variable KEKCEREMONY_TEST_MONGO_URI names any other server instead.
package mongotest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Server is a running server.
type Server struct {
	*Proxy // nil before a server that it cannot stand before
	uri    string
	client *driver.Client
}

const uriVariable = "KEKCEREMONY_TEST_MONGO_URI"

// Named reports whether the environment names a server, so that Start starts none.
func Named() bool { return os.Getenv(uriVariable) != "" }

// Start starts the server for the time of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	if uri := os.Getenv(uriVariable); uri != "" {
		return At(t, uri)
	}
	p := startProxy(t, upstream{address: startFerretDB(t)}, new(sync.Mutex))
	return connected(t, &Server{Proxy: p, uri: "mongodb://" + p.address + "/"})
}

// At is a server that runs, with a proxy before it, for the time of the test.
func At(t testing.TB, uri string) *Server {
	t.Helper()
	s := &Server{uri: uri}
	if server, direct, ok := reached(t, uri); ok {
		s.Proxy = startProxy(t, server, nil)
		s.uri = strings.Replace(direct, server.address, s.Proxy.address, 1)
	}
	return connected(t, s)
}

func connected(t testing.TB, s *Server) *Server {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(s.uri))
	if err != nil {
		t.Fatal(err)
	}
	s.client = client
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return s
}

// NeedProxy skips a test of faults that only the proxy can make.
func (s *Server) NeedProxy(t testing.TB) {
	t.Helper()
	if s.Proxy == nil {
		t.Skip("SKIPPED: the tests' proxy cannot stand before hosts that DNS names (mongodb+srv)")
	}
}

// Fresh makes a database that exists, as an application's does, and returns its
// URI. It is dropped after the test.
func (s *Server) Fresh(t testing.TB) string {
	t.Helper()
	uri := s.Absent(t)
	if err := s.database(uri).CreateCollection(t.Context(), "applications"); err != nil {
		t.Fatal(err)
	}
	return uri
}

// Absent is the URI of a database that is not there. It is dropped after the test.
func (s *Server) Absent(t testing.TB) string {
	id := make([]byte, 6)
	rand.Read(id)
	uri := s.URI("kektest_" + hex.EncodeToString(id))
	t.Cleanup(func() { _ = s.database(uri).Drop(context.Background()) })
	return uri
}

// URI of a database.
func (s *Server) URI(name string) string {
	base, query, _ := strings.Cut(s.uri, "?")
	uri := strings.TrimSuffix(base, "/") + "/" + name
	if query != "" {
		uri += "?" + query
	}
	return uri
}

// With is a URI with one more option.
func With(uri, option string) string {
	if strings.Contains(uri, "?") {
		return uri + "&" + option
	}
	return uri + "?" + option
}

// Replace writes a whole record, as an application does.
func (s *Server) Replace(t testing.TB, uri, collection string, record bson.D) {
	t.Helper()
	if err := s.TryReplace(t, uri, collection, record); err != nil {
		t.Fatal(err)
	}
}

// ReplaceUnder writes a record as it was read, under another id.
func (s *Server) ReplaceUnder(t testing.TB, uri, collection string, id any, record bson.Raw) {
	t.Helper()
	var all bson.D
	if err := bson.Unmarshal(record, &all); err != nil {
		t.Fatal(err)
	}
	copied := bson.D{{Key: "_id", Value: id}}
	for _, e := range all {
		if e.Key != "_id" {
			copied = append(copied, e)
		}
	}
	s.Replace(t, uri, collection, copied)
}

// TryReplace does, and returns what the server says.
func (s *Server) TryReplace(t testing.TB, uri, collection string, record bson.D) error {
	t.Helper()
	_, err := s.collection(uri, collection).ReplaceOne(context.Background(), bson.D{record[0]}, record,
		options.Replace().SetUpsert(true))
	return err
}

// Insert writes new records.
func (s *Server) Insert(t testing.TB, uri, collection string, records []any) {
	t.Helper()
	if _, err := s.collection(uri, collection).InsertMany(context.Background(), records); err != nil {
		t.Fatal(err)
	}
}

// Enlarge adds so many bytes to each record of a collection.
func (s *Server) Enlarge(t testing.TB, uri, collection string, size int) {
	t.Helper()
	more := bson.D{{Key: "$set", Value: bson.D{{Key: "more", Value: make([]byte, size)}}}}
	if _, err := s.collection(uri, collection).UpdateMany(context.Background(), bson.D{}, more); err != nil {
		t.Fatal(err)
	}
}

// ReplaceEnvelope writes a record with an envelope at version 1 in a field.
func (s *Server) ReplaceEnvelope(t testing.TB, uri, collection, field string) {
	t.Helper()
	e := bson.D{{Key: "wrapped_dek", Value: []byte("wrapped")}, {Key: "kek_version", Value: 1}}
	s.Replace(t, uri, collection,
		bson.D{{Key: "_id", Value: "one"}, {Key: "kek_version", Value: 1}, {Key: field, Value: e}})
}

// Find reads a whole record.
func (s *Server) Find(t testing.TB, uri, collection string, id any) (record bson.Raw) {
	t.Helper()
	found := s.collection(uri, collection).FindOne(context.Background(), bson.D{{Key: "_id", Value: id}})
	if err := found.Decode(&record); err != nil {
		t.Fatal(err)
	}
	return record
}

func (s *Server) collection(uri, name string) *driver.Collection {
	return s.database(uri).Collection(name)
}

func (s *Server) database(uri string) *driver.Database {
	base, _, _ := strings.Cut(uri, "?")
	return s.client.Database(base[strings.LastIndexByte(base, '/')+1:])
}
