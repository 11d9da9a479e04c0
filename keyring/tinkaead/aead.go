// Package tinkaead lets a program that is written for Tink seal and open envelopes: an AEAD
// implements tink.AEAD and tink.AEADWithContext of github.com/tink-crypto/tink-go/v2.
//
// What Encrypt returns is not opaque. It is one BSON document, the envelope: Document says how.
// Store it as a sub-document in the field of the place, as bson.Raw, and the record's outer
// kek_version beside it; or in the columns of SQL, by Parse and Envelope.Columns. Only there does
// a rotation find the envelope and wrap its data key again. The same bytes within a blob, a file
// or another ciphertext stay at the version that they were made with, and cannot be opened once
// that version is gone. So an AEAD is not for tink's KMSEnvelopeAEAD, which puts them there; an
// encrypted keyset is fine where its bytes are stored as a sub-document.
//
// The associated data is the additional authenticated data of the payload: see SealWithAAD of
// keyring. Where there is any, say so with payload_aad in the catalogue: a rotation to a version that
// is bound cannot open these payloads before it binds them. Refusals are counted, and data keys
// kept, as with Seal and Open.
package tinkaead

import (
	"context"

	"github.com/certautopilot/kekceremony/keyring"
)

// AEAD seals and opens the secret of one record. It is safe for use by many goroutines.
type AEAD struct {
	ctx   context.Context // of Encrypt and Decrypt, which are given none
	ring  *keyring.Ring
	place string
	id    any
}

// New returns the AEAD of the record with an id and a place, COLLECTION.FIELD, as Seal and Open
// have them: of a place in an array, id is that of keyring.Element, without which they return
// keyring.ErrBinding under a version that is bound. Encrypt and Decrypt fail when ctx ends.
func New(ctx context.Context, r *keyring.Ring, place string, id any) *AEAD {
	return &AEAD{ctx: ctx, ring: r, place: place, id: id}
}

// Encrypt seals plaintext, and returns the envelope's Document. It returns the errors of Seal.
func (a *AEAD) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return a.EncryptWithContext(a.ctx, plaintext, associatedData)
}

// EncryptWithContext is Encrypt with a context of its own.
func (a *AEAD) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	e, err := a.ring.SealWithAAD(ctx, a.place, a.id, plaintext, associatedData)
	if err != nil {
		return nil, err
	}
	return Document(e)
}

// Decrypt opens an envelope's document, as Encrypt returned it or as a rotation left it. It
// returns ErrDocument for other bytes, which are not counted as a refusal, and the errors of
// Open.
func (a *AEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return a.DecryptWithContext(a.ctx, ciphertext, associatedData)
}

// DecryptWithContext is Decrypt with a context of its own.
func (a *AEAD) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	e, err := Parse(ciphertext)
	if err != nil {
		return nil, err
	}
	return a.ring.OpenWithAAD(ctx, a.place, a.id, e, associatedData)
}
