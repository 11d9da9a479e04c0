package provider

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/secret"
)

// ErrPayload is returned for a DEK that does not open the payload of its envelope: it is another
// envelope's.
var ErrPayload = errors.New("its data key does not open its payload")

// Payload is that of an envelope. Before a wrapped DEK is bound to its record for the first time, it
// must open the payload there: else a DEK that somebody swapped earlier would be bound for good.
type Payload struct{ Nonce, Ciphertext []byte }

// Check opens the payload with a DEK, and wipes it. A nil one is not checked.
func (p *Payload) Check(dek []byte) error {
	if p == nil {
		return nil
	}
	block, err := aes.NewCipher(dek)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if len(p.Nonce) != aead.NonceSize() {
		return fmt.Errorf("nonce of %d bytes, want %d: %w", len(p.Nonce), aead.NonceSize(), ErrPayload)
	}
	room := make([]byte, 0, len(p.Ciphertext))
	defer secret.Zero(room[:cap(room)])
	if _, err := aead.Open(room, p.Nonce, p.Ciphertext, nil); err != nil {
		return ErrPayload
	}
	return nil
}
