package mongo_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// faulty is a fresh database behind the proxy.
func faulty(t *testing.T) (*mongotest.Server, string, *mongo.Store) {
	t.Helper()
	server := mongotest.Start(t)
	server.NeedProxy(t)
	uri := server.Fresh(t)
	return server, uri, open(t, uri)
}

// TestLostAnswers: the server carries a write out and the connection breaks
// before the answer (case M01). The write counts once, no matter who asks.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	ctx := t.Context()
	one, two := store.Active{Version: 1, Epoch: 1}, store.Active{Version: 2, Epoch: 2}
	ceremony := store.Ceremony{Seq: 1, Kind: "install"}
	closed := store.Ceremony{Seq: 1, Outcome: "done", Head: "aa", Final: "bb"}
	entry := store.Entry{Ceremony: 1, Name: "000000", Data: []byte("a\n")}
	for _, c := range []struct {
		name, command string
		do            func() error
		again         error // what the same gives once more
	}{
		{"open a ceremony", "insert", func() error { return s.OpenCeremony(ctx, ceremony) }, store.ErrExists},
		{"append an entry", "insert", func() error { return s.AppendEntry(ctx, entry) }, store.ErrExists},
		{"insert a version", "insert",
			func() error { return s.InsertKEK(ctx, store.KEK{Version: 1, State: store.Live}) }, store.ErrExists},
		{"first pointer", "insert", func() error { return s.MoveActive(ctx, store.Active{}, one) }, store.ErrConflict},
		{"move the pointer", "update", func() error { return s.MoveActive(ctx, one, two) }, store.ErrConflict},
		{"retire a version", "update", func() error { return s.MoveKEK(ctx, 1, store.Live, store.Retired) },
			store.ErrConflict},
		{"close a ceremony", "update", func() error { return s.CloseCeremony(ctx, closed) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := server.Seen(c.command)
			server.Cut(c.command, 3)
			if err := c.do(); err != nil {
				t.Errorf("with the answers lost: %v", err)
			}
			if n := server.Seen(c.command) - before; n != 4 {
				t.Errorf("%d attempts, want 4", n)
			}
			if err := c.do(); !errors.Is(err, c.again) {
				t.Errorf("once more: got %v, want %v", err, c.again)
			}
		})
	}
}

// TestLostAnswerOfAnother: our insert never reached the server, another console
// took the id, and our second attempt finds it taken: that is not ours.
func TestLostAnswerOfAnother(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	other := open(t, uri)
	entry := store.Entry{Ceremony: 1, Name: "000000", Data: []byte("the very same bytes\n")}
	server.Before("insert", func() {
		if err := other.AppendEntry(t.Context(), entry); err != nil {
			t.Error(err)
		}
		server.Down()
		server.Up(t)
	})
	if err := s.AppendEntry(t.Context(), entry); !errors.Is(err, store.ErrExists) {
		t.Errorf("got %v, want %v", err, store.ErrExists)
	}
}

// TestLostSwap: the answer to a bulk of updates is lost, and one of the records
// was sealed again meanwhile: what was written counts, and nothing else.
func TestLostSwap(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	things := envelope.Catalogue{envelope.At("things", "f")}.Collections()[0]
	for _, id := range []string{"a", "b", "c"} {
		server.Replace(t, uri, "things", sealed(id, "old "+id))
	}
	docs, err := s.Page(t.Context(), things, 2, nil, 10)
	if err != nil || len(docs) != 3 {
		t.Fatal(err, docs)
	}
	swaps := renewals(docs)
	server.Before("update", func() {
		server.Cut("update", 0)
		server.Replace(t, uri, "things", sealed("b", "sealed again"))
		server.Cut("update", 1)
	})
	took, err := s.Swap(t.Context(), things, swaps)
	if err != nil || !took[0] || took[1] || !took[2] {
		t.Errorf("took %v, %v", took, err)
	}
	if got := server.Find(t, uri, "things", "b").Lookup("f", "wrapped_dek"); string(bytesOf(got)) != "sealed again" {
		t.Errorf("b holds %s", got)
	}
}

func renewals(docs []store.Document) []store.Swap { return renewalsTo(docs, 2) }

func renewalsTo(docs []store.Document, to kek.Version) (swaps []store.Swap) {
	for _, d := range docs {
		swaps = append(swaps, store.Swap{
			Old: d,
			To:  to,
			New: []store.Held{{Path: "f", Version: to, WrappedDEK: append([]byte("new "), d.Envelopes[0].WrappedDEK...)}},
		})
	}
	return swaps
}

// TestHalfASwap: the right to write is lost in the middle of a page. What was
// written before is made known beside the error.
func TestHalfASwap(t *testing.T) {
	t.Parallel()
	server, uri, s := faulty(t)
	things := envelope.Catalogue{envelope.At("things", "f")}.Collections()[0]
	const n = 100
	s.Bulks(n/2, 1)
	fill(t, server, uri, "things", n, 0)
	docs, err := s.Page(t.Context(), things, 2, nil, n)
	if err != nil || len(docs) != n {
		t.Fatal(err, len(docs))
	}
	server.Before("update", func() {
		server.Before("update", func() { server.ReadOnly(true) })
	})
	took, err := s.Swap(t.Context(), things, renewals(docs))
	server.ReadOnly(false)
	if err == nil || len(took) == 0 || len(took) >= n || slices.Contains(took, false) {
		t.Errorf("took %v, %v", took, err)
	}
	rest, err := s.Page(t.Context(), things, 2, nil, n)
	if err != nil || len(rest) != n-len(took) {
		t.Errorf("%d left of %d, %d took, %v", len(rest), n, len(took), err)
	}
}

func sealed(id, wrapped string) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "kek_version", Value: int32(1)}, {Key: "f", Value: bson.D{
		{Key: "wrapped_dek", Value: []byte(wrapped)}, {Key: "kek_version", Value: int32(1)}}}}
}

func bytesOf(v bson.RawValue) []byte {
	_, b, _ := v.BinaryOK()
	return b
}

// TestServerGone: every operation waits for a server that comes back.
func TestServerGone(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	server.Down()
	back := time.AfterFunc(time.Second, func() { server.Up(t) })
	defer back.Stop()
	if err := s.AppendEntry(t.Context(), store.Entry{Ceremony: 1, Name: "000000", Data: []byte("a\n")}); err != nil {
		t.Error(err)
	}
	if all, err := s.Entries(t.Context(), 1); err != nil || len(all) != 1 {
		t.Errorf("%d entries, %v", len(all), err)
	}
}

// TestOpenRefuses: what is wrong with a server or a name is told at once, and
// no password with it.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	server, uri, _ := faulty(t)
	const silent = "the store does not answer: "
	other := httptest.NewUnstartedServer(nil)
	other.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that the client refuses
	other.StartTLS()
	t.Cleanup(other.Close)
	for _, c := range []struct {
		name, uri, want string
		is              error
	}{
		{"wrong database name", server.URI("nowhere"),
			"no such database", store.ErrNoDatabase},
		{"no database", server.URI(""), "the MongoDB URI names no database, want mongodb://HOST/DATABASE", nil},
		{"not a URI", "mongodb://user:hunter2@/db", "not a MongoDB URI, mongodb://HOST/DATABASE", nil},
		{"nobody listens", "mongodb://user:hunter2@127.0.0.1:1/db", "open store mongodb:127.0.0.1:1/db: " +
			silent + "dial tcp 127.0.0.1:1: connect: connection refused", store.ErrSilent},
		{"unknown authority", "mongodb://user:hunter2@" + other.Listener.Addr().String() + "/db?tls=true",
			"tls: failed to verify certificate: x509: certificate signed by unknown authority", store.ErrCertificate},
		{"no replica set", mongotest.With(uri, "replicaSet=other"), "the URI names other", store.ErrReplicaSet},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := mongo.Open(t.Context(), c.uri)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") ||
				c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	if s, err := mongo.Create(t.Context(), uri); err == nil {
		s.Close()
		t.Error("a database that is there was made again")
	}
}

// TestSlowServer: the server is there, and one answer takes too long. That is what is
// told, not that no server was found.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	server.Before("insert", func() { <-ctx.Done() })
	err := s.OpenCeremony(ctx, store.Ceremony{Seq: 1})
	if !errors.Is(err, store.ErrSilent) || !strings.Contains(err.Error(), "deadline exceeded") {
		t.Error(err)
	}
}

// TestBlackHole: the network swallows everything in the middle of what a server may need long for. The driver's
// monitor hears nothing, and the operation ends; with the network back, it is done.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	server, uri, _ := faulty(t)
	fill(t, server, uri, "many", 10, 0)
	s := open(t, mongotest.With(uri, "connectTimeoutMS=1000&heartbeatFrequencyMS=500"))
	c := placed("many", "f").Collections()[0]
	for _, o := range []struct {
		command string
		do      func() error
	}{
		{"find", func() error { _, err := s.Page(t.Context(), c, 2, nil, 10); return err }},
		{"aggregate", func() error { _, err := s.Census(t.Context(), placed("many", "f")); return err }},
	} {
		s.Hasten(time.Millisecond)
		server.Before(o.command, func() { server.Hole(true) })
		server.Cut(o.command, 1) // the command in work is lost too
		if err := o.do(); !errors.Is(err, store.ErrSilent) {
			t.Errorf("%s: %v", o.command, err)
		}
		server.Hole(false)
		s.Hasten(time.Minute)
		if err := o.do(); err != nil {
			t.Errorf("%s again: %v", o.command, err)
		}
	}
}

// TestBulks: a page is as many commands as the server's kind allows.
func TestBulks(t *testing.T) {
	t.Parallel()
	server, uri, _ := faulty(t)
	const n = 70 // FerretDB 1 takes less than a hundred
	for version, want := range map[string]int{"": 2, "7.0.0": 1} {
		if version == "" && mongotest.Named() {
			continue // a server of another kind
		}
		server.Instead("buildInfo", 0, nil)
		if version != "" {
			server.Instead("buildInfo", always, bson.D{{Key: "ok", Value: 1.0}, {Key: "version", Value: version}})
		}
		s := open(t, uri)
		collection := "v" + version
		fill(t, server, uri, collection, n, 0)
		c := placed(collection, "f").Collections()[0]
		docs, err := s.Page(t.Context(), c, 2, nil, n)
		if err != nil {
			t.Fatal(err)
		}
		before := server.Seen("update")
		took, err := s.Swap(t.Context(), c, renewals(docs))
		if got := server.Seen("update") - before; err != nil || len(took) != n || got != want {
			t.Errorf("version %q: %d commands for %d, %v", version, got, len(took), err)
		}
	}
}

// TestReadOnlyUser: a user who may not write can look, and is told what it lacks
// before anything else happens.
func TestReadOnlyUser(t *testing.T) {
	t.Parallel()
	server, _, s := faulty(t)
	server.ReadOnly(true)
	if _, err := s.KEKs(t.Context()); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"insert":    s.OpenCeremony(t.Context(), store.Ceremony{Seq: 1}),
		"update":    s.MoveKEK(t.Context(), 1, store.Live, store.Retired),
		"heartbeat": s.Heartbeat(t.Context(), store.Heartbeat{Process: "p"}),
	} {
		if !errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
