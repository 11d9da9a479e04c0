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
	certificate(t, s.CA, key)
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

// certificate writes a certificate of 127.0.0.1 that is its own authority.
func certificate(t testing.TB, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
