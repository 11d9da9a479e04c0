package mongo_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// behindRouter is a store that takes its server for the router of a sharded cluster. What shards would say
// is made by the proxy.
func behindRouter(t *testing.T) (*mongotest.Server, string, *mongo.Store) {
	t.Helper()
	server, uri, _ := faulty(t)
	server.Beside("hello", always, bson.D{{Key: "msg", Value: "isdbgrid"}})
	s := open(t, uri)
	if !strings.HasSuffix(s.Describe(), ", sharded") {
		t.Fatal(s.Describe())
	}
	return server, uri, s
}

// answers are records as the server gives them to a query.
func answers(records ...bson.D) bson.D {
	batch := bson.A{}
	for _, r := range records {
		batch = append(batch, r)
	}
	return bson.D{{Key: "ok", Value: 1.0}, {Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)},
		{Key: "ns", Value: "x.y"}, {Key: "firstBatch", Value: batch}}}}
}

// TestClockOfShard: behind a router, the time is that of the shard which writes the heartbeats' time, not
// the router's. With heartbeats on two shards there is no such time.
func TestClockOfShard(t *testing.T) {
	t.Parallel()
	server, _, s := behindRouter(t)
	if now, err := s.Now(t.Context()); err != nil || now.IsZero() { // before there is a heartbeat
		t.Error(now, err)
	}
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	shard := bson.D{{Key: "shard", Value: "a"}, {Key: "localTime", Value: at}}
	server.Answer("aggregate", 1, answers(shard))
	if now, err := s.Now(t.Context()); err != nil || !now.Equal(at) {
		t.Error(now, err)
	}
	server.Answer("aggregate", 1, answers(shard, shard))
	if now, err := s.Now(t.Context()); !errors.Is(err, store.ErrServer) {
		t.Error(now, err)
	}
}

// TestTwins: two records on two shards have one id, and a portion of a search ends between them. Both come,
// and each once.
func TestTwins(t *testing.T) {
	t.Parallel()
	server, uri, s := behindRouter(t)
	const n = 40
	fill(t, server, uri, "many", n, 0)
	twin := func(secret string) bson.D { return sealed("0031", secret) } // the 32nd
	// The queries of an empty collection, of its odd ids, of a portion, of the twins.
	var at func(nth int)
	at = func(nth int) {
		server.Before("find", func() {
			if nth == 4 {
				server.Answer("find", 1, answers(twin("here"), twin("there")))
				return
			}
			at(nth + 1)
		})
	}
	at(1)
	var twins []string
	seen := map[string]int{}
	err := s.Scan(t.Context(), func(_ string, record envelope.Tree) error {
		id, _ := record.Field("_id")
		seen[id.Value().(string)]++
		if id.Value() == "0031" {
			f, _ := record.Field("f")
			w, _ := f.Field("wrapped_dek")
			twins = append(twins, string(w.Value().([]byte)))
		}
		return nil
	})
	if err != nil || len(seen) != n || seen["0030"] != 1 || !slices.Equal(twins, []string{"here", "there"}) {
		t.Errorf("%d ids, twins %v, %v", len(seen), twins, err)
	}
}

// TestSwapOfTwins: an update of one id matches a record on each of two shards, and another update none. That
// there were as many matches as updates says nothing: the records are read back.
func TestSwapOfTwins(t *testing.T) {
	t.Parallel()
	server, uri, s := behindRouter(t)
	for _, id := range []string{"a", "b"} {
		server.Replace(t, uri, "things", sealed(id, "old"))
	}
	c := flat.Collections()[0]
	docs, err := s.Page(t.Context(), c, 2, nil, 10)
	if err != nil || len(docs) != 2 {
		t.Fatal(err)
	}
	server.Before("update", func() {
		server.Replace(t, uri, "things", sealed("b", "sealed again"))
		server.Beside("update", 1, bson.D{{Key: "n", Value: int32(2)}})
	})
	took, err := s.Swap(t.Context(), c, renewals(docs))
	if err != nil || !slices.Equal(took, []bool{true, false}) {
		t.Errorf("took %v, %v", took, err)
	}
}

// TestNodeDown: of a primary, a secondary and an arbiter, the secondary is down. Every write is done, and no
// majority has it. The operation ends and says so, and done again when the node is back, it was done once.
func TestNodeDown(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.s.Hasten(50 * time.Millisecond)
	concern := bson.D{{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: int32(64)},
		{Key: "errmsg", Value: "waiting for replication timed out"}}}}
	one, two := store.Active{Version: 1, Epoch: 1}, store.Active{Version: 2, Epoch: 2}
	e := store.Entry{Ceremony: 2, Name: "x"}
	for _, c := range []struct {
		command string
		do      func() error
		says    string
		after   error // who did it is not known to a later run
	}{
		{"insert", func() error { return r.s.AppendEntry(r.ctx, e) }, "majority", store.ErrExists},
		{"update", func() error { return r.s.MoveActive(r.ctx, one, two) }, "waiting for replication", store.ErrConflict},
	} {
		r.server.Beside(c.command, always, concern)
		r.server.Answer("find", always, answers()) // the majority has no such record
		if err := c.do(); !errors.Is(err, store.ErrNotReady) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.command, err)
		}
		r.server.Beside(c.command, 0, nil)
		r.server.Answer("find", 0, nil)
		if err := c.do(); !errors.Is(err, c.after) {
			t.Errorf("%s again: %v", c.command, err)
		}
	}
}
