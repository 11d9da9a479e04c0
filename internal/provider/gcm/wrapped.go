// Package gcm is the form of a DEK that is wrapped by AES-256-GCM: IV || ciphertext || tag.
// Both providers of today write it; another provider may have a form of its own, which
// nothing outside of it reads.
package gcm

import (
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// TagSize is the length of a tag in bytes (NIST SP 800-38D, 128 bits).
const TagSize = 16

// Lengths of the IV in bytes: LongIVSize where a token makes it so.
const (
	IVSize     = 12
	LongIVSize = 16
)

// ErrWrapped is returned for bytes that cannot be a wrapped DEK of this form.
var ErrWrapped = errors.New("not a wrapped DEK: want 60 bytes (12 of IV) or 64 bytes (16 of IV)")

// Wrapped is a wrapped DEK taken apart.
type Wrapped struct {
	IV     []byte
	Sealed []byte // 32 bytes of ciphertext || 16 bytes of tag
}

// Split finds the IV by the length of the whole, which is unambiguous because a DEK is
// always 32 bytes. The parts share b's memory.
func Split(b []byte) (Wrapped, error) {
	iv := len(b) - kek.Size - TagSize
	if iv != IVSize && iv != LongIVSize {
		return Wrapped{}, fmt.Errorf("%d bytes: %w", len(b), ErrWrapped)
	}
	return Wrapped{IV: b[:iv:iv], Sealed: b[iv:]}, nil
}
