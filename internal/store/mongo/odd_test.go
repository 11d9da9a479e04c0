package mongo_test

import (
	"bytes"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestStrangersAnywhere finds envelopes in whatever they are nested, and a field
// of the catalogue that only looks like one is counted and named, not passed over.
func TestStrangersAnywhere(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	uri := server.Fresh(t)
	s := open(t, uri)
	inner := bson.D{{Key: "wrapped_dek", Value: []byte("w")}, {Key: "kek_version", Value: int32(1)}}
	server.Replace(t, uri, "deep", bson.D{
		{Key: "_id", Value: 1},
		{Key: "settings", Value: bson.D{{Key: "smtp", Value: inner}}},
		{Key: "list", Value: bson.A{"x", bson.D{{Key: "key", Value: inner}}}},
		{Key: "top", Value: append(bson.D{{Key: "previous", Value: inner}}, inner...)},
	})
	server.Replace(t, uri, "kek_events", bson.D{{Key: "_id", Value: "1/x"}, {Key: "data", Value: inner}})
	got, err := s.Strangers(t.Context(), envelope.Catalogue{envelope.At("deep", "top")})
	if err != nil || len(got) != 3 || got[0].String() != "deep.list[].key" || got[1].String() != "deep.settings.smtp" ||
		got[2].String() != "deep.top.previous" {
		t.Errorf("%v, %v", got, err)
	}

	for i, odd := range []any{
		bson.D{{Key: "wrapped_dek", Value: "text"}, {Key: "kek_version", Value: int32(1)}},
		bson.D{{Key: "wrapped_dek", Value: []byte("w")}, {Key: "kek_version", Value: "1"}},
		bson.D{{Key: "kek_version", Value: 1.5}},
		bson.A{inner},
	} {
		server.Replace(t, uri, "odd",
			bson.D{{Key: "_id", Value: i}, {Key: "kek_version", Value: int32(1)}, {Key: "f", Value: odd}})
	}
	odd := envelope.Catalogue{envelope.At("odd", "f")}.Collections()[0]
	docs, err := s.Page(t.Context(), odd, 2, nil, 10)
	if err != nil || len(docs) != 4 {
		t.Fatalf("%+v, %v", docs, err)
	}
	for i, d := range docs {
		if len(d.Envelopes) != 1 || d.Envelopes[0].Version != 0 && len(d.Envelopes[0].WrappedDEK) > 0 {
			t.Errorf("%d: %+v", i, d.Envelopes)
		}
	}
	counts, err := s.Census(t.Context(), envelope.Catalogue{envelope.At("odd", "f")})
	place := envelope.At("odd", "f")
	want := []store.Count{{Place: place, Version: 0, N: 3}, {Place: place, Version: 1, N: 4}} // 3 of them outer versions
	if err != nil || !slices.Equal(counts, want) {
		t.Errorf("%v, %v", counts, err)
	}
}

// TestBrokenBeside: what is broken in one field keeps its bytes and does not keep
// the field beside it from being re-wrapped.
func TestBrokenBeside(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	uri := server.Fresh(t)
	s := open(t, uri)
	good := func(v int32) bson.D {
		return bson.D{{Key: "wrapped_dek", Value: bson.Binary{Data: []byte("wrapped")}}, {Key: "kek_version", Value: v}}
	}
	broken := []any{
		bson.D{{Key: "kek_version", Value: int32(2)}},
		bson.D{{Key: "wrapped_dek", Value: nil}, {Key: "kek_version", Value: int32(2)}},
		bson.D{{Key: "wrapped_dek", Value: "text"}, {Key: "kek_version", Value: int32(1)}},
		bson.D{{Key: "wrapped_dek", Value: bson.Binary{}}, {Key: "kek_version", Value: int32(1)}},
		bson.A{good(2), good(1)},
		bson.A{bson.D{{Key: "kek_version", Value: int32(1)}}},
	}
	c := envelope.Catalogue{envelope.At("broken", "f"), envelope.At("broken", "g")}.Collections()[0]
	for i, g := range broken {
		server.Replace(t, uri, c.Name, bson.D{
			{Key: "_id", Value: i}, {Key: "kek_version", Value: int32(1)}, {Key: "f", Value: good(1)}, {Key: "g", Value: g},
		})
	}
	docs, err := s.Page(t.Context(), c, 2, nil, 10)
	if err != nil || len(docs) != len(broken) {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for i, d := range docs {
		if len(d.Envelopes) != 2 { // both are named, whatever they are
			t.Errorf("%d: %+v", i, d)
		}
		took, err := s.Swap(t.Context(), c,
			[]store.Swap{{Old: d, To: 2, New: []store.Held{{Path: "f", Version: 2, WrappedDEK: []byte("again")}}}})
		if err != nil || !took[0] {
			t.Errorf("%d: took %v, %v", i, took, err)
		}
		record := server.Find(t, uri, c.Name, i)
		if got := record.Lookup("f", "kek_version").Int32(); got != 2 {
			t.Errorf("%d: f at %d", i, got)
		}
		_, want, err := bson.MarshalValue(broken[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := record.Lookup("g").Value; !bytes.Equal(got, want) {
			t.Errorf("%d: g is %v", i, record.Lookup("g"))
		}
	}
}

// TestOddVersions: a version that is a list or a decimal is never taken for the
// target by one question and for another one by the next.
func TestOddVersions(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	uri := server.Fresh(t)
	s := open(t, uri)
	c := envelope.Catalogue{envelope.At("odd", "f")}.Collections()[0]
	for i, outer := range []any{bson.A{int32(2)}, "2", 2.5, nil} {
		f := bson.D{
			{Key: "wrapped_dek", Value: bson.Binary{Data: []byte("wrapped")}},
			{Key: "kek_version", Value: int32(2)},
		}
		server.Replace(t, uri, c.Name,
			bson.D{{Key: "_id", Value: i}, {Key: "kek_version", Value: outer}, {Key: "f", Value: f}})
	}
	docs, err := s.Page(t.Context(), c, 2, nil, 10)
	if err != nil || len(docs) != 4 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for _, d := range docs {
		if took, err := s.Swap(t.Context(), c, []store.Swap{{Old: d, To: 2}}); err != nil || !took[0] {
			t.Errorf("%+v: %v, %v", d, took, err)
		}
	}
	counts, err := s.Census(t.Context(), envelope.Catalogue{envelope.At(c.Name, "f")})
	want := []store.Count{{Place: envelope.At(c.Name, "f"), Version: 2, N: 4}}
	if err != nil || !slices.Equal(counts, want) {
		t.Errorf("counts %v, %v", counts, err)
	}
}

// TestOddID: a record whose id is of no kind that pages have is found by a query that an index answers, and
// by another one where the server does not know every type of BSON.
func TestOddID(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	server.Replace(t, uri, "applications", bson.D{{Key: "_id", Value: "a"}})
	odd := sealed("", "old")
	odd[0].Value = bson.MinKey{}
	refused := mongotest.Failure(2, "BadValue", "Unknown type name alias")
	for _, all := range [][]bson.D{{answers(odd)}, {refused, answers(odd)}} {
		var next func(i int)
		next = func(i int) {
			server.Before("find", func() {
				if i >= 0 { // after the records that have a place
					server.Answer("find", 1, all[i])
				}
				if i+1 < len(all) {
					next(i + 1)
				}
			})
		}
		next(-1)
		before := server.Seen("find")
		places, err := s.Strangers(t.Context(), nil)
		if n := server.Seen("find") - before; err != nil || len(places) != 1 || n != 1+len(all) {
			t.Errorf("%v, %v, by %d queries", places, err, n)
		}
	}
}
