package pkcs11

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Identity is a key pair that shows which token this is: its vendor attests that the
// private half was made in it and cannot leave it, and the vendor's tools check that.
// A token in its place may have its label, its serial and a copy of the KEK.
type Identity struct {
	Label  string `yaml:"identity"`        // of the private key on the token
	Public string `yaml:"identity_public"` // path of the public key, SPKI as PEM
}

// maxPublic bounds the file of a public key in bytes.
const maxPublic = 16 << 10

// public reads the key and its SHA-256, hex, over the SPKI.
func (i Identity) public() (key any, digest string, err error) {
	text, err := file.Read(i.Public, file.Rules{Max: maxPublic, Follow: true})
	if err != nil {
		return nil, "", err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, "", fmt.Errorf("%s: want a PEM of type PUBLIC KEY", printable.Text(i.Public))
	}
	key, err = x509.ParsePKIXPublicKey(block.Bytes)
	sum := sha256.Sum256(block.Bytes)
	return key, hex.EncodeToString(sum[:]), err
}
