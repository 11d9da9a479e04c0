package mongo_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestDiagnoses: a server that has users, TLS and the name of a replica set, and everything that can be
// wrong in a URI about it. Each has its name, and none tells the password.
func TestDiagnoses(t *testing.T) {
	t.Parallel()
	s := mongotest.StartSecured(t)
	who := s.User + ":" + s.Password + "@"
	var all sync.WaitGroup // what waits is the driver
	defer all.Wait()
	ca := "/admin?directConnection=true&tls=true&tlsCAFile=" + s.CA
	for _, c := range []struct {
		name, uri, want string
		is              error
	}{
		{"all right", who + s.Plain + "/admin?replicaSet=" + s.Set, "", nil},
		{"all right, with TLS", who + s.TLS + ca, "", nil},
		{"wrong password", "user:hunter22@" + s.Plain + "/admin", "Authentication failed", store.ErrLogin},
		{"wrong user", "nobody:" + s.Password + "@" + s.Plain + "/admin", "Authentication failed", store.ErrLogin},
		{"users of another database", who + s.Plain + "/admin?authSource=x", "Authentication failed", store.ErrLogin},
		{"no user", s.Plain + "/admin", "requires authentication", store.ErrLogin},
		{"a mechanism that the server lacks", who + s.Plain + "/admin?authMechanism=PLAIN",
			"Unsupported authentication mechanism", store.ErrMechanism},
		{"a mechanism in small letters", who + s.Plain + "/admin?authMechanism=scram-sha-256", "", nil},
		{"certificates to log in with", s.Plain + "/admin?authMechanism=MONGODB-X509", "no such command", store.ErrMechanism},
		{"no token", s.Plain + "/admin?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:test",
			"not supported", store.ErrNoToken},
		{"no load balancer", who + s.Plain + "/admin?loadBalanced=true", "does not support this mode", store.ErrOption},
		{"unknown authority", who + s.TLS + "/admin?tls=true", "x509: certificate signed by unknown authority",
			store.ErrCertificate},
		{"another name than the certificate's", who + strings.Replace(s.TLS, "127.0.0.1", "localhost", 1) + ca,
			"localhost", store.ErrCertificate},
		{"TLS to a plain port", who + s.Plain + "/admin?tls=true", "EOF", store.ErrNoTLS},
		{"plain to a port with TLS", who + s.TLS + "/admin", "EOF", store.ErrWantsTLS},
		{"another replica set", who + s.Plain + "/admin?replicaSet=other", "it is of rs0, the URI names other",
			store.ErrReplicaSet},
		{"no such host", who + "nowhere.invalid/admin", "lookup nowhere.invalid", store.ErrNoHost},
		{"a server of something else", who + shouting(t) + "/admin", "", store.ErrWantsTLS},
		{"a server of something else, with TLS", who + shouting(t) + "/admin?tls=true", "TLS handshake", store.ErrNoTLS},
	} {
		all.Go(func() { refused(t, c.name, "mongodb://"+c.uri, c.want, c.is) })
	}
}

// shouting is the address of a server that speaks first, and another protocol.
func shouting(t *testing.T) string {
	t.Helper()
	return listening(t, func(c net.Conn) { fmt.Fprint(c, "220 mail.example.org ESMTP of some other program\r\n") })
}

// listening is the address of a server that is no database, and serves each connection so.
func listening(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// always is more often than a test asks.
const always = 1 << 20

// TestServerOfAnotherKind: a secondary, a server that became one, and Cosmos DB, by what they say of
// themselves.
func TestServerOfAnotherKind(t *testing.T) {
	t.Parallel()
	secondary := bson.D{{Key: "isWritablePrimary", Value: false}, {Key: "ismaster", Value: false},
		{Key: "secondary", Value: true}, {Key: "setName", Value: "rs0"}, {Key: "hosts", Value: bson.A{"a:1"}}}
	for _, c := range []struct {
		name string
		says bson.D
		is   error
	}{
		{"secondary", secondary, store.ErrSecondary},
		{"arbiter", bson.D{{Key: "arbiterOnly", Value: true}}, store.ErrSecondary},
		{"Cosmos DB", bson.D{{Key: "setName", Value: "globaldb"}}, store.ErrCosmos},
		{"an old one", bson.D{{Key: "maxWireVersion", Value: int32(9)}}, store.ErrServer},
	} {
		server, uri, _ := faulty(t)
		server.Beside("hello", always, c.says)
		s, err := mongo.Open(t.Context(), mongotest.With(uri, "directConnection=true"))
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	server, uri, _ := faulty(t)
	s := open(t, mongotest.With(uri, "directConnection=true&heartbeatFrequencyMS=500"))
	s.Hasten(10 * time.Millisecond)
	if _, err := s.KEKs(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Beside("hello", always, secondary)
	for range 100 { // until the driver's monitor has asked
		if _, err := s.KEKs(t.Context()); err != nil {
			if !errors.Is(err, store.ErrNotReady) {
				t.Error(err)
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("a server that became a secondary is read on")
}

// TestNoPrimary: a replica set of which only a secondary answers is not ready, and that is what is told.
func TestNoPrimary(t *testing.T) {
	t.Parallel()
	server, uri, _ := faulty(t)
	address := server.Address()
	says := bson.D{{Key: "isWritablePrimary", Value: false}, {Key: "ismaster", Value: false},
		{Key: "secondary", Value: true}, {Key: "setName", Value: "rs0"}, {Key: "me", Value: address},
		{Key: "hosts", Value: bson.A{address}}}
	server.Beside("handshake", always, says)
	server.Beside("hello", always, says)
	uri = strings.Replace(uri, "directConnection=true", "directConnection=false", 1)
	s, err := mongo.Open(t.Context(), mongotest.With(uri, "replicaSet=rs0"))
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, store.ErrNotReady) || !strings.Contains(err.Error(), "its replica set has no primary") {
		t.Error(err)
	}
}

// TestEndingServer: a server that answers every connection that it shuts down does answer.
func TestEndingServer(t *testing.T) {
	t.Parallel()
	server, uri, _ := faulty(t)
	server.Answer("handshake", always, mongotest.Failure(11600, "InterruptedAtShutdown", text(11600)))
	refused(t, "shutdown", uri, text(11600), store.ErrNotReady)
}

// TestNoRecords: a place of the catalogue whose envelopes could not be counted, or not written, is named
// before anything is counted.
func TestNoRecords(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	collection := func(kind string, options bson.D) bson.D {
		return bson.D{{Key: "ok", Value: 1.0}, {Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)},
			{Key: "ns", Value: "x.$cmd.listCollections"}, {Key: "firstBatch", Value: bson.A{bson.D{
				{Key: "name", Value: "things"}, {Key: "type", Value: kind}, {Key: "options", Value: options}}}}}}}
	}
	queryable := bson.D{{Key: "encryptedFields", Value: bson.D{{Key: "fields", Value: bson.A{
		bson.D{{Key: "path", Value: "f"}}}}}}}
	for _, c := range []struct {
		name   string
		answer bson.D
		is     error
	}{
		{"view", collection("view", nil), store.ErrView},
		{"time series", collection("timeseries", nil), store.ErrView},
		{"Queryable Encryption", collection("collection", queryable), store.ErrOpaque},
	} {
		r.server.Instead("listCollections", 2, c.answer)
		if _, err := r.s.Census(r.ctx, flat); !errors.Is(err, c.is) {
			t.Errorf("%s: census: %v", c.name, err)
		}
		if _, err := r.s.Strangers(r.ctx, flat); !errors.Is(err, c.is) {
			t.Errorf("%s: scan: %v", c.name, err)
		}
	}
}

// TestOpaque: a field that a client encrypts is bytes, and no count would have its envelope. Other bytes are
// something else in a field, and are not counted.
func TestOpaque(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	for _, c := range []struct {
		name string
		with bson.E
		cat  string
		is   error
	}{
		{"field", bson.E{Key: "f", Value: bson.Binary{Subtype: 6, Data: []byte("x")}}, "f", store.ErrOpaque},
		{"on the way", bson.E{Key: "a", Value: bson.Binary{Subtype: 6, Data: []byte("x")}}, "a.b.f", store.ErrOpaque},
		{"in an array", bson.E{Key: "l", Value: bson.A{bson.D{{Key: "f", Value: bson.Binary{Subtype: 6}}}}}, "l[].f",
			store.ErrOpaque},
		{"other bytes", bson.E{Key: "f", Value: []byte("x")}, "f", nil},
		{"other bytes in an array", bson.E{Key: "l", Value: bson.A{bson.D{{Key: "f", Value: []byte("x")}}}}, "l[].f", nil},
	} {
		cat := placed("things", c.cat)
		r.server.Replace(t, r.uri, "things", bson.D{{Key: "_id", Value: "b"}, c.with})
		counts, err := r.s.Census(r.ctx, cat)
		n := 0
		for _, count := range counts {
			n += count.N
		}
		want := 0
		if c.cat == "f" {
			want = 1 // of the room
		}
		if !errors.Is(err, c.is) || err == nil && n != want {
			t.Errorf("%s: %v, %v", c.name, counts, err)
		}
	}
}
