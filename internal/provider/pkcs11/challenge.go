package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// identity has the token sign 32 random bytes with its private key.
func (p *probe) identity() (string, error) {
	if p.cfg.Identity.Label == "" {
		return provider.NotNeeded + "no identity key is configured", nil
	}
	public, digest, err := p.cfg.Identity.public()
	if err != nil {
		return "", err
	}
	all, err := p.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, p.cfg.Identity.Label))
	if err != nil {
		return "", fmt.Errorf("find private key %s: %w", printable.Quote(p.cfg.Identity.Label), err)
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

// longestSignature is that of an RSA key of 16,384 bits, in bytes.
const longestSignature = 2048

// challenge checks a signature over a nonce (PKCS#11 v2.40, 2.3.6 CKM_ECDSA: r || s;
// 2.1.12 CKM_SHA256_RSA_PKCS).
func (p *probe) challenge(private pkcs11.ObjectHandle, public any, nonce []byte) error {
	sign := func(mechanism uint, data []byte) ([]byte, error) {
		sig := make([]byte, longestSignature)
		n, err := p.call.sign(p.h, mechanism, private, data, sig)
		if err != nil {
			return nil, named(err)
		}
		return sig[:n], nil
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
