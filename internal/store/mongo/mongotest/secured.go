package mongotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Secured is a FerretDB that lets one user in, with TLS at one address and without at another, and says
// that it is the primary of a replica set.
type Secured struct {
	Plain, TLS     string // addresses
	CA             string // file
	User, Password string
	Set            string
}

// StartSecured starts the server for the time of the test.
func StartSecured(t testing.TB) Secured {
	t.Helper()
	dir := t.TempDir()
	s := Secured{User: "user", Password: "hunter2", Set: "rs0", CA: filepath.Join(dir, "cert.pem")}
	key := filepath.Join(dir, "key.pem")
	cert, secret := certificate(t, time.Now().Add(time.Hour))
	write(t, s.CA, cert)
	write(t, key, secret)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	said := start(t, exec.Command(built(t, "secured", buildSecured), data, s.CA, key, s.User, s.Password, s.Set))
	s.Plain, s.TLS, _ = strings.Cut(said, " ")
	return s
}

// buildSecured builds the server in a copy of FerretDB's module, as it needs what others may not import.
func buildSecured(source, path string) error {
	const name = "github.com/FerretDB/FerretDB"
	if err := goes(source, "mod", "download", name); err != nil {
		return err
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", name)
	list.Dir = source
	module, err := list.Output()
	if err != nil {
		return err
	}
	tree, err := os.MkdirTemp("", "ferretdb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	if err := os.CopyFS(tree, os.DirFS(strings.TrimSpace(string(module)))); err != nil {
		return err
	}
	main, err := os.ReadFile(filepath.Join(source, "secured", "main.go"))
	if err != nil {
		return err
	}
	// A server that is the main module must say which version it is.
	for file, text := range map[string]string{
		"build/version/version.txt": "v1.24.2\n",
		"cmd/secured/main.go":       string(main),
	} {
		full := filepath.Join(tree, file)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return goes(tree, "build", "-tags", "ferretdb", "-o", path, "./cmd/secured")
}

// certificate makes a certificate of 127.0.0.1 that is its own authority, and its key.
func certificate(t testing.TB, until time.Time) (cert, key *pem.Block) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	signed, err := x509.CreateCertificate(rand.Reader, form, form, pair.Public(), pair)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: signed}, &pem.Block{Type: "PRIVATE KEY", Bytes: secret}
}

func write(t testing.TB, file string, blocks ...*pem.Block) {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
