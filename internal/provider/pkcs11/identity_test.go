package pkcs11_test

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11"
	"github.com/certautopilot/kekceremony/internal/provider/pkcs11/pkcs11test"
)

// keyPair makes a key pair on the token with a stock tool, and returns the path of its
// public key.
func keyPair(t *testing.T, kind, label string) string {
	t.Helper()
	der := filepath.Join(t.TempDir(), "public")
	tool := []string{"--module", pkcs11test.Module(t), "--login", "--pin", pkcs11test.PIN, "--label", label}
	pkcs11test.Run(t, "pkcs11-tool", append(tool, "--keypairgen", "--key-type", kind)...)
	pkcs11test.Run(t, "pkcs11-tool", append(tool, "--read-object", "--type", "pubkey", "--output-file", der)...)
	data, err := os.ReadFile(der)
	if err != nil {
		t.Fatal(err)
	}
	path := der + ".pem"
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestP16Identity: a token that has not the private key of the configured public key is
// another token, whatever else it has.
func TestP16Identity(t *testing.T) {
	for _, kind := range []string{"EC:prime256v1", "rsa:2048"} {
		pkcs11test.NewTokens(t, pkcs11test.Label)
		mine, other := keyPair(t, kind, "mine"), keyPair(t, kind, "other")
		for label, c := range map[string]struct{ public, says string }{
			"mine":   {mine, ""},
			"other":  {mine, "this is another token"},
			"absent": {other, `0 private keys are labelled "absent", want 1`},
		} {
			p, err := pkcs11.Open(pkcs11.Config{
				ModulePath: pkcs11test.Module(t),
				TokenLabel: pkcs11test.Label,
				Identity:   pkcs11.Identity{Label: label, Public: c.public},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := logIn(t, p, pkcs11test.PIN); err != nil {
				t.Fatal(err)
			}
			about, err := p.Describe(t.Context())
			if err != nil || len(about["identity_sha256"]) != 64 {
				t.Errorf("%v, %v", err, about)
			}
			line := ""
			err = p.Probe(t.Context(), func(v provider.Verdict) {
				if v.Line == "identity" {
					line = v.Detail
				}
			})
			var failed *provider.ProbeError
			switch {
			case c.says == "" && (err != nil || line != "it has the private key of "+about["identity_sha256"]):
				t.Errorf("%s, %s: %v, %q", kind, label, err, line)
			case c.says != "" &&
				(!errors.As(err, &failed) || failed.Line != "identity" || !strings.Contains(failed.Detail, c.says)):
				t.Errorf("%s, %s: %v", kind, label, err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
