// Package envelope is the shape of a secret field as it stands in the store: a
// payload under its own DEK, and the DEK wrapped by one version of the KEK. It
// is pure: it reads no store and knows no provider.
package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Envelope is the sub-document {wrapped_dek, nonce, ciphertext, kek_version,
// provider}. Nonce and Ciphertext belong to the payload and are never touched
// by a ceremony.
type Envelope struct {
	WrappedDEK []byte // IV || ciphertext || tag, see Wrapped
	Nonce      []byte // 12 bytes, of the payload
	Ciphertext []byte // payload || 16 bytes of tag
	KEKVersion kek.Version
	Provider   string
}

// TagSize is the length of an AES-GCM tag in bytes (NIST SP 800-38D, 128 bits).
const TagSize = 16

// Lengths of the IV of a wrapped DEK in bytes: LongIVSize where the token makes it so.
const (
	IVSize     = 12
	LongIVSize = 16
)

// ErrWrapped is returned for bytes that cannot be a wrapped DEK.
var ErrWrapped = errors.New("not a wrapped DEK: want 60 bytes (12 of IV) or 64 bytes (16 of IV)")

// Wrapped is a wrapped DEK taken apart: IV of 12 bytes, or 16 where the token
// makes its own, then ciphertext || tag.
type Wrapped struct {
	IV     []byte
	Sealed []byte // 32 bytes of ciphertext || 16 bytes of tag
}

// SplitWrapped finds the IV by the length of the whole, which is unambiguous
// because a DEK is always 32 bytes. The parts share b's memory.
func SplitWrapped(b []byte) (Wrapped, error) {
	iv := len(b) - kek.Size - TagSize
	if iv != IVSize && iv != LongIVSize {
		return Wrapped{}, fmt.Errorf("%d bytes: %w", len(b), ErrWrapped)
	}
	return Wrapped{IV: b[:iv:iv], Sealed: b[iv:]}, nil
}

// Seal encrypts payload under dek with AES-256-GCM, a fresh 12-byte nonce and
// no AAD, as the applications do.
func Seal(dek, payload []byte) (nonce, ciphertext []byte, err error) {
	aead, err := newGCM(dek)
	if err != nil {
		return nil, nil, err
	}
	nonce = make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, nil, err
	}
	return nonce, aead.Seal(nil, nonce, payload, nil), nil
}

// Open decrypts the payload of e with its unwrapped DEK.
func (e Envelope) Open(dek []byte) ([]byte, error) {
	aead, err := newGCM(dek)
	if err != nil {
		return nil, err
	}
	if len(e.Nonce) != aead.NonceSize() {
		return nil, fmt.Errorf("open envelope: nonce of %d bytes, want %d", len(e.Nonce), aead.NonceSize())
	}
	payload, err := aead.Open(nil, e.Nonce, e.Ciphertext, nil)
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
