package mongo_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/store/mongo"
	"github.com/certautopilot/kekceremony/internal/store/mongo/mongotest"
)

// TestTLS: servers that want a certificate, show one that has expired, or speak another version, and what the
// store says of each.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := mongotest.StartSecured(t)
	const wants = tls.RequireAndVerifyClientCert
	_, strange := mongotest.Certificate(t, time.Now().Add(time.Hour))
	var all sync.WaitGroup // what waits is the driver
	defer all.Wait()
	twelve, thirteen := uint16(tls.VersionTLS12), uint16(tls.VersionTLS13)
	for _, c := range []struct {
		name  string
		front mongotest.Front
		shows string // file with a certificate, or whose
		says  string
		is    error
	}{
		{"wanted and shown, 1.2", mongotest.Front{Max: twelve, Wants: wants}, "client's", "", nil},
		{"wanted and shown, 1.3", mongotest.Front{Min: thirteen, Wants: wants}, "client's", "", nil},
		{"wanted, 1.2", mongotest.Front{Max: twelve, Wants: wants}, "", "handshake failure", store.ErrCertificate},
		{"wanted, 1.3", mongotest.Front{Min: thirteen, Wants: wants}, "", "certificate required", store.ErrCertificate},
		{"of another authority, 1.2", mongotest.Front{Max: twelve, Wants: wants}, strange, "certificate",
			store.ErrCertificate},
		{"of another authority, 1.3", mongotest.Front{Min: thirteen, Wants: wants}, strange, "certificate",
			store.ErrCertificate},
		{"wanted after the handshake, 1.2", mongotest.Front{Max: twelve, Wants: tls.RequestClientCert, Strict: true}, "",
			"EOF", store.ErrEnds},
		{"wanted after the handshake, 1.3", mongotest.Front{Min: thirteen, Wants: tls.RequestClientCert, Strict: true}, "",
			"EOF", store.ErrEnds},
		{"expired", mongotest.Front{Expired: true}, "", "expired", store.ErrCertificate},
		{"of 1.1", mongotest.Front{Min: tls.VersionTLS10, Max: tls.VersionTLS11}, "", "protocol version", store.ErrTLS},
	} {
		address, ca, client := c.front.Start(t, s.Plain)
		uri := "mongodb://" + s.User + ":" + s.Password + "@" + address + "/admin?directConnection=true&tlsCAFile=" + ca
		switch c.shows {
		case "":
		case "client's":
			uri += "&tlsCertificateKeyFile=" + client
		default:
			uri += "&tlsCertificateKeyFile=" + c.shows
		}
		all.Go(func() { refused(t, c.name, uri, c.says, c.is) })
	}
}

// TestOldTLS: a server that knows nothing of TLS 1.2 answers with its own version, and another one that the two
// have nothing in common.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	hello := append([]byte{2, 0, 0, 38, 3, 2}, make([]byte, 36)...) // a ServerHello of 1.1
	hello[len(hello)-3], hello[len(hello)-2] = 0xc0, 0x13
	for name, answer := range map[string][]byte{
		"protocol version":  append([]byte{22, 3, 2, 0, byte(len(hello))}, hello...),
		"handshake failure": {21, 3, 3, 0, 2, 2, 40},
	} {
		uri := "mongodb://" + answering(t, answer) + "/db?tls=true"
		all.Go(func() { refused(t, name, uri, name, store.ErrTLS) })
	}
}

// answering is the address of a server that reads a little, answers the same to everything, and waits for the end.
func answering(t *testing.T, answer []byte) string {
	t.Helper()
	return listening(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 16))
		_, _ = c.Write(answer)
		_, _ = io.Copy(io.Discard, c)
	})
}

// refused opens a store, which is refused so, or not if the error is nil.
func refused(t *testing.T, name, uri, says string, is error) {
	t.Helper()
	s, err := mongo.Open(t.Context(), uri)
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, is) || err != nil && (!strings.Contains(err.Error(), says) ||
		strings.Contains(err.Error(), "hunter2")) {
		t.Errorf("%s: got %v, want %v: %s", name, err, is, says)
	}
}

// TestProxyBeforeTLS: the tests' proxy stands before a server with users and TLS too, and makes its faults there.
func TestProxyBeforeTLS(t *testing.T) {
	t.Parallel()
	s := mongotest.StartSecured(t)
	server := mongotest.At(t, "mongodb://"+s.User+":"+s.Password+"@"+s.TLS+
		"/?directConnection=true&authSource=admin&tls=true&tlsCAFile="+s.CA)
	if server.Proxy == nil {
		t.Fatal("no proxy")
	}
	kept := open(t, server.Fresh(t))
	e := store.Entry{Ceremony: 1, Name: "000000", Data: []byte("a\n")}
	server.Cut("insert", 1)
	before := server.Seen("insert")
	if err := kept.AppendEntry(t.Context(), e); err != nil || server.Seen("insert") != before+2 {
		t.Errorf("%d inserts, %v", server.Seen("insert")-before, err)
	}
	if err := kept.AppendEntry(t.Context(), e); !errors.Is(err, store.ErrExists) {
		t.Error(err)
	}
}
