// Package binding makes the additional authenticated data (AAD) that binds a wrapped DEK to the
// place, the record and the element of an array that it belongs to, under a version of the KEK that
// is bound. docs/envelope.md tells its bytes.
package binding

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Text begins each binding. The digest follows.
const Text = "kekceremony bind v1"

// Purposes: a canary is never taken for the DEK of an envelope.
const (
	purposeDEK    = "dek"
	purposeCanary = "canary"
)

// DEK binds the wrapped DEK of an envelope. place is the place's stable name; keys are those of the
// elements that the envelope is in, from the outermost array to the innermost.
func DEK(chain kek.Chain, place string, id ID, keys ...ID) []byte {
	fields := []string{purposeDEK, string(chain), place, id.kind, id.value}
	for _, key := range keys {
		fields = append(fields, key.kind, key.value)
	}
	return of(fields)
}

// Canary binds the canaries of a chain's versions.
func Canary(chain kek.Chain) []byte { return of([]string{purposeCanary, string(chain)}) }

// of is Text and the SHA-256 of all fields, each after its length as 8 bytes, big endian.
func of(fields []string) []byte {
	h := sha256.New()
	for _, field := range fields {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	return h.Sum([]byte(Text))
}
