package mongo_test

import (
	"errors"
	"maps"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
	"github.com/certautopilot/kekceremony/internal/store/storetest"
)

func open(t *testing.T, uri string) *mongo.Store {
	t.Helper()
	s, err := mongo.Open(t.Context(), uri)
	for range 20 { // on a busy machine a server may be silent for seconds
		if !errors.Is(err, store.ErrSilent) {
			break
		}
		s, err = mongo.Open(t.Context(), uri)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	uuid := func(b byte) bson.Binary {
		return bson.Binary{Subtype: bson.TypeBinaryUUID, Data: []byte{b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
	}
	storetest.Run(t, storetest.Backend{
		Open: func(t *testing.T) (store.Store, storetest.Application) {
			uri := server.Fresh(t)
			return open(t, uri), application{server, uri}
		},
		IDs: []any{bson.NewObjectID(), bson.NewObjectID(), "b", "a", int32(5), int64(3), 2.5, uuid(9), uuid(1),
			bson.D{{Key: "shard", Value: int32(1)}, {Key: "n", Value: int32(2)}}, true, bson.DateTime(1_700_000_000_000)},
		Nested:  []envelope.Encoding{envelope.Binary, envelope.Base64, envelope.Hex},
		ID:      "_id",
		Refusal: func(kek.Version, string) []string { return []string{"failed validation"} },
	})
}

// TestUnder: a database that has collections of the plain names keeps them as they are.
func TestUnder(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	storetest.RunOwn(t, storetest.Backend{Open: func(t *testing.T) (store.Store, storetest.Application) {
		uri := server.Fresh(t)
		theirs := mongotest.Application{Server: server, Database: uri}
		record := map[string]any{"provider": "env", "version": int64(1)}
		plain := []string{"kek_install", "kek_versions", "kek_wraps", "kek_ceremonies", "kek_events", "process_heartbeats"}
		for _, name := range plain {
			theirs.Put(t, name, "active", record)
		}
		t.Cleanup(func() {
			for _, name := range plain {
				if got := theirs.Get(t, name, "active"); !maps.Equal(got, record) {
					t.Errorf("%s has %v", name, got)
				}
			}
		})
		s := open(t, uri)
		s.Under("kekceremony_")
		return s, application{server, uri}
	}})
}

// application writes with the driver alone.
type application struct {
	*mongotest.Server
	uri string
}

func (a application) Create(t *testing.T, c envelope.Collection) {
	s := open(t, a.uri)
	if err := s.CreateCollection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func (a application) Put(t *testing.T, r storetest.Record) {
	t.Helper()
	if err := a.Try(t, r); err != nil {
		t.Fatal(err)
	}
}

func (a application) Try(t *testing.T, r storetest.Record) error {
	t.Helper()
	record := bson.D{{Key: "_id", Value: r.ID}, {Key: "name", Value: "something of the application's"}}
	if r.Version != 0 {
		record = append(record, bson.E{Key: "kek_version", Value: int64(r.Version)})
	}
	for f, e := range r.Envelopes {
		record = append(record, bson.E{Key: f, Value: bson.D{
			{Key: "wrapped_dek", Value: e.WrappedDEK},
			{Key: "nonce", Value: e.Nonce},
			{Key: "ciphertext", Value: e.Ciphertext},
			{Key: "kek_version", Value: int32(e.KEKVersion)},
			{Key: "provider", Value: e.Provider},
		}})
	}
	for _, f := range r.Odd {
		record = append(record, bson.E{Key: f, Value: "odd"})
	}
	return a.TryReplace(t, a.uri, r.Collection, record)
}

func (a application) TryTree(t *testing.T, collection, id string, record map[string]any) error {
	t.Helper()
	return mongotest.Application{Server: a.Server, Database: a.uri}.Try(t, collection, id, record)
}

func (a application) Spoil(t *testing.T, id any, field string, part storetest.Part, value any) {
	t.Helper()
	var record bson.D
	if err := bson.Unmarshal(a.Find(t, a.uri, "things", id), &record); err != nil {
		t.Fatal(err)
	}
	for i, e := range record {
		if sub, ok := e.Value.(bson.D); ok && e.Key == field {
			for j := range sub {
				if sub[j].Key == string(part) {
					sub[j].Value = value
				}
			}
		} else if field == "" && e.Key == string(part) {
			record[i].Value = value
		}
	}
	a.Replace(t, a.uri, "things", record)
}

func (a application) Get(t *testing.T, collection string, id any, fields ...string) storetest.Record {
	t.Helper()
	raw := a.Find(t, a.uri, collection, id)
	r := storetest.Record{Collection: collection, ID: id, Envelopes: map[string]envelope.Envelope{}}
	if v, ok := raw.Lookup("kek_version").Int64OK(); ok { // the type the application wrote
		r.Version = kek.Version(v)
	}
	for _, f := range fields {
		field := raw.Lookup(f)
		if _, odd := field.StringValueOK(); odd {
			r.Odd = append(r.Odd, f)
		}
		if _, ok := field.DocumentOK(); !ok {
			continue
		}
		var e struct {
			WrappedDEK []byte `bson:"wrapped_dek"`
			Nonce      []byte
			Ciphertext []byte
			KEKVersion int32 `bson:"kek_version"`
			Provider   string
		}
		if err := field.Unmarshal(&e); err != nil {
			t.Fatal(err)
		}
		r.Envelopes[f] = envelope.Envelope{
			WrappedDEK: e.WrappedDEK,
			Nonce:      e.Nonce,
			Ciphertext: e.Ciphertext,
			KEKVersion: kek.Version(e.KEKVersion),
			Provider:   e.Provider,
		}
	}
	return r
}

func (a application) PutTree(t *testing.T, collection, id string, record map[string]any) {
	t.Helper()
	mongotest.Application{Server: a.Server, Database: a.uri}.Put(t, collection, id, record)
}

func (a application) GetTree(t *testing.T, collection, id string) map[string]any {
	t.Helper()
	return mongotest.Application{Server: a.Server, Database: a.uri}.Get(t, collection, id)
}
