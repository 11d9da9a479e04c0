package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// Identity is a key pair that shows which token this is: its vendor attests that the
// private half was made in it and cannot leave it, and the vendor's tools check that.
// A token in its place may have its label, its serial and a copy of the KEK.
type Identity struct {
	Label  string // of the private key on the token
	Public string // path of the public key, SPKI as PEM
}

// maxPublic bounds the file of a public key in bytes.
const maxPublic = 16 << 10

// public reads the key and its SHA-256, hex, over the SPKI.
func (i Identity) public() (key any, digest string, err error) {
	info, err := os.Stat(i.Public)
	if err != nil {
		return nil, "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPublic {
		return nil, "", fmt.Errorf("%s: want a file of at most %d bytes", printable.Text(i.Public), maxPublic)
	}
	text, err := os.ReadFile(i.Public)
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

// identity has the token sign 32 random bytes with its private key.
func (p *probe) identity() (string, error) {
	if p.cfg.Identity.Label == "" {
		return "no key is configured that would show which token this is", nil
	}
	public, digest, err := p.cfg.Identity.public()
	if err != nil {
		return "", err
	}
	all, err := p.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, p.cfg.Identity.Label))
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", fmt.Errorf("%d private keys are labelled %s, want 1", len(all), printable.Quote(p.cfg.Identity.Label))
	}
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	if err := p.challenge(all[0], public, nonce); err != nil {
		return "", err
	}
	return "it has the private key of " + digest, nil
}

// challenge checks a signature over a nonce (PKCS#11 v2.40, 2.3.6 CKM_ECDSA: r || s;
// 2.1.12 CKM_SHA256_RSA_PKCS).
func (p *probe) challenge(private pkcs11.ObjectHandle, public any, nonce []byte) error {
	sign := func(mechanism uint, data []byte) ([]byte, error) {
		if err := p.ctx.SignInit(p.h, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, private); err != nil {
			return nil, named(err)
		}
		sig, err := p.ctx.Sign(p.h, data)
		return sig, named(err)
	}
	sum := sha256.Sum256(nonce)
	another := errors.New("its private key is not the one of the configured public key: this is another token")
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		sig, err := sign(pkcs11.CKM_ECDSA, sum[:])
		if err != nil {
			return fmt.Errorf("sign by ECDSA: %w", err)
		}
		half := len(sig) / 2
		if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])) {
			return another
		}
	case *rsa.PublicKey:
		sig, err := sign(pkcs11.CKM_SHA256_RSA_PKCS, nonce)
		if err != nil {
			return fmt.Errorf("sign by RSA: %w", err)
		}
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
			return another
		}
	default:
		return fmt.Errorf("a public key of type %T: want EC or RSA", public)
	}
	return nil
}
