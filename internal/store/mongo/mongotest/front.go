package mongotest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Front is how a server with TLS, before the plain address of another one, meets its clients.
type Front struct {
	Min, Max uint16             // versions of TLS
	Wants    tls.ClientAuthType // certificates of clients
	Strict   bool               // it ends the connection to one without, after the handshake
	Expired  bool               // its own certificate
}

// Start runs it for the time of the test. It returns its address, the file of its authority, and one of a
// client's certificate and key that it takes.
func (f Front) Start(t testing.TB, plain string) (address, authority, client string) {
	t.Helper()
	until := time.Now().Add(time.Hour)
	if f.Expired {
		until = time.Now().Add(-time.Hour)
	}
	authority, own := Certificate(t, until)
	theirs, client := Certificate(t, time.Now().Add(time.Hour))
	cert, err := tls.LoadX509KeyPair(own, own)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(theirs)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: f.Min,
		MaxVersion: f.Max, ClientAuth: f.Wants, ClientCAs: pool})
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
			go f.serve(c.(*tls.Conn), plain)
		}
	}()
	return l.Addr().String(), authority, client
}

func (f Front) serve(client *tls.Conn, plain string) {
	defer client.Close()
	if err := client.Handshake(); err != nil {
		_, _ = io.Copy(io.Discard, client.NetConn()) // so that the alert is not lost
		return
	}
	if f.Strict && len(client.ConnectionState().PeerCertificates) == 0 {
		return
	}
	server, err := net.Dial("tcp", plain)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// Certificate makes a certificate of 127.0.0.1 that is its own authority. The first file has it, the second one
// its key as well.
func Certificate(t testing.TB, until time.Time) (certFile, both string) {
	t.Helper()
	dir := t.TempDir()
	certFile, both = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "both.pem")
	cert, key := certificate(t, until)
	write(t, certFile, cert)
	write(t, both, cert, key)
	return certFile, both
}
