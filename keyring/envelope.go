package keyring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
)

// Envelope is a secret field as it stands in the database; docs/envelope.md describes it byte
// by byte. In MongoDB it is a sub-document. In SQL it is five columns: Columns.
type Envelope struct {
	WrappedDEK []byte `bson:"wrapped_dek"` // the data key, wrapped by a version of the KEK
	Nonce      []byte `bson:"nonce"`       // 12 bytes, of the payload
	Ciphertext []byte `bson:"ciphertext"`  // of the payload, with its tag of 16 bytes
	KEKVersion int    `bson:"kek_version"`
	Provider   string `bson:"provider"` // env or pkcs11
}

// Columns are the names and values of an envelope's columns, for a field of that name. Set
// the record's own column kek_version to the envelope's KEKVersion in the same statement.
func (e Envelope) Columns(field string) (names []string, values []any) {
	return columnsOf(field), []any{e.WrappedDEK, e.Nonce, e.Ciphertext, e.KEKVersion, e.Provider}
}

// Scan are the names of the columns and where to scan them, for a field of that name. A record
// without the secret has NULL in all of them, and scans as the zero Envelope.
func (e *Envelope) Scan(field string) (names []string, into []any) {
	return columnsOf(field), []any{&e.WrappedDEK, &e.Nonce, &e.Ciphertext, orZero[int]{&e.KEKVersion},
		orZero[string]{&e.Provider}}
}

// orZero scans NULL as the zero value.
type orZero[T any] struct{ into *T }

// Scan implements sql.Scanner.
func (z orZero[T]) Scan(value any) error {
	var n sql.Null[T]
	err := n.Scan(value)
	*z.into = n.V
	return err
}

func columnsOf(field string) []string {
	return []string{field + "_wrapped_dek", field + "_nonce", field + "_ciphertext", field + "_kek_version",
		field + "_provider"}
}

// Seal encrypts plaintext with a new data key, wraps that with the active version, and returns
// the envelope to store at a place, COLLECTION.PATH, of the record with an id. The place must
// be in the catalogue, else ErrPlace: no rotation would find it. The id must be final, and be
// given to Open as the same value of the same type: a string, an integer, bytes such as a UUID, or an
// ObjectID (not its bytes); else ErrID. Of an envelope in an array, give Element.
//
// Under a version that is bound, the envelope opens only at this place of this record: the id must be
// the very one that the record has. There, Seal returns ErrBinding without the key of an element.
//
// Write the envelope soon: what is written long after the writers were switched is found by a
// later census, and then due again.
func (r *Ring) Seal(ctx context.Context, place string, id any, plaintext []byte) (Envelope, error) {
	return r.SealWithAAD(ctx, place, id, plaintext, nil)
}

// SealWithAAD is Seal with additional authenticated data of the payload: the envelope does not
// contain it, and opens only where OpenWithAAD is given the same. Empty is none, as in Seal.
func (r *Ring) SealWithAAD(ctx context.Context, place string, id any, plaintext, aad []byte) (Envelope, error) {
	e, err := r.seal(ctx, place, id, plaintext, aad)
	if err != nil {
		return Envelope{}, failed("seal", place, id, err)
	}
	return e, nil
}

func (r *Ring) seal(ctx context.Context, place string, id any, plaintext, aad []byte) (e Envelope, err error) {
	bound, err := r.known(place, id)
	if err != nil {
		return e, err
	}
	dek, err := r.room.take(ctx)
	if err != nil {
		return e, err
	}
	defer r.room.free(dek)
	if err := newKey(dek); err != nil {
		return e, err
	}
	e.Provider = r.provider
	if e.Nonce, e.Ciphertext, err = envelope.Seal(dek, plaintext, aad); err != nil {
		return e, err
	}
	wrapped, v, err := r.member.Wrap(ctx, dek, bound)
	e.WrappedDEK, e.KEKVersion = wrapped, int(v)
	return e, err
}

// Open unwraps the data key and decrypts. It returns ErrNotHeld for a version that this process
// does not hold or may not read, ErrProvider for an envelope of another provider,
// ErrUndecryptable for one that its key does not open, and ErrTokenGone or ErrTokenBusy while the
// token does not answer. Each but the last two is counted as a refusal, and reported with the
// next heartbeat. Today it needs no answer of the store; do not rely on that.
func (r *Ring) Open(ctx context.Context, place string, id any, e Envelope) ([]byte, error) {
	return r.OpenWithAAD(ctx, place, id, e, nil)
}

// OpenWithAAD is Open of an envelope that was sealed with additional authenticated data. It
// returns ErrUndecryptable where the data is other than that.
func (r *Ring) OpenWithAAD(ctx context.Context, place string, id any, e Envelope, aad []byte) ([]byte, error) {
	plaintext, err := r.open(ctx, place, id, e, aad)
	if err != nil {
		return nil, failed("open", place, id, err)
	}
	return plaintext, nil
}

func (r *Ring) open(ctx context.Context, place string, id any, e Envelope, aad []byte) ([]byte, error) {
	bound, err := r.known(place, id)
	if err != nil {
		return nil, err
	}
	if e.Provider != r.provider {
		return nil, r.member.Refuse(fmt.Errorf("provider %q: %w", e.Provider, ErrProvider))
	}
	v := kek.Version(e.KEKVersion)
	if err := r.holds(ctx, v); err != nil { // before it takes a place in the room
		return nil, err
	}
	dek, err := r.room.take(ctx)
	if err != nil {
		return nil, err
	}
	defer r.room.free(dek)
	kept := keyOf(v, e.WrappedDEK, bound)
	err = r.member.Unwrap(ctx, v, e.WrappedDEK, bound, dek, func() bool { return r.cache.get(kept, dek) })
	if err != nil {
		return nil, meant(ctx, err)
	}
	plaintext, err := envelope.Envelope{Nonce: e.Nonce, Ciphertext: e.Ciphertext}.Open(dek, aad)
	if err != nil {
		return nil, r.member.Refuse(fmt.Errorf("%w: %w", ErrUndecryptable, err))
	}
	r.cache.put(kept, dek)
	return plaintext, nil
}

// holds is refused by a closed ring like everything else.
func (r *Ring) holds(ctx context.Context, v kek.Version) error {
	if r.room.closed() {
		return ErrClosed
	}
	return r.member.Holds(ctx, v)
}

// meant makes ErrUndecryptable of what a provider answers to an envelope that it does not open.
func meant(ctx context.Context, err error) error {
	for _, own := range []error{ErrNotHeld, ErrTokenGone, ErrTokenBusy, ErrBinding} {
		if errors.Is(err, own) {
			return err
		}
	}
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUndecryptable, err)
}

// Reseal returns the same plaintext in a new envelope: a new data key, payload and nonce, under
// the active version. A rotation only wraps data keys again; after a compromise, reseal. An
// envelope with additional authenticated data is opened and sealed with that instead.
func (r *Ring) Reseal(ctx context.Context, place string, id any, e Envelope) (Envelope, error) {
	plaintext, err := r.Open(ctx, place, id, e)
	if err != nil {
		return Envelope{}, err
	}
	defer clear(plaintext)
	return r.Seal(ctx, place, id, plaintext)
}

func failed(what, place string, id any, err error) error {
	return fmt.Errorf("%s %s of %v: %w", what, place, id, err)
}
