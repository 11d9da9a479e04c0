// Package envelope is the shape of a secret field as it stands in the store: a
// payload under its own DEK, and the DEK wrapped by one version of the KEK. It
// is pure: it reads no store and knows no provider.
package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Envelope is the sub-document {wrapped_dek, nonce, ciphertext, kek_version,
// provider}. Nonce and Ciphertext belong to the payload and are never touched
// by a ceremony.
type Envelope struct {
	WrappedDEK []byte // in the form of its provider
	Nonce      []byte // 12 bytes, of the payload
	Ciphertext []byte // payload || 16 bytes of tag
	KEKVersion kek.Version
	Provider   string
}

// Seal encrypts payload under dek with AES-256-GCM and a fresh 12-byte nonce, as the
// applications do. aad is authenticated too, and is no part of the envelope.
func Seal(dek, payload, aad []byte) (nonce, ciphertext []byte, err error) {
	aead, err := newGCM(dek)
	if err != nil {
		return nil, nil, err
	}
	nonce = make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, nil, err
	}
	return nonce, aead.Seal(nil, nonce, payload, aad), nil
}

// Open decrypts the payload of e with its unwrapped DEK, and the AAD that it was sealed with.
func (e Envelope) Open(dek, aad []byte) ([]byte, error) {
	aead, err := newGCM(dek)
	if err != nil {
		return nil, err
	}
	if len(e.Nonce) != aead.NonceSize() {
		return nil, fmt.Errorf("open envelope: nonce of %d bytes, want %d", len(e.Nonce), aead.NonceSize())
	}
	payload, err := aead.Open(nil, e.Nonce, e.Ciphertext, aad)
	if err != nil {
		return nil, fmt.Errorf("open envelope: %w", err)
	}
	return payload, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
