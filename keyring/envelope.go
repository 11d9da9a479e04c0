package keyring

import (
	"context"
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

// Scan are the names of the columns and where to scan them, for a field of that name.
func (e *Envelope) Scan(field string) (names []string, into []any) {
	return columnsOf(field), []any{&e.WrappedDEK, &e.Nonce, &e.Ciphertext, &e.KEKVersion, &e.Provider}
}

func columnsOf(field string) []string {
	return []string{field + "_wrapped_dek", field + "_nonce", field + "_ciphertext", field + "_kek_version",
		field + "_provider"}
}

// Seal encrypts plaintext with a new data key, wraps that with the active version, and returns
// the envelope to store at a place, COLLECTION.FIELD, of the record with an id. The place must
// be in the catalogue, else ErrPlace: no rotation would find it. The id is not used yet.
//
// Write the envelope soon: what is written long after the writers were switched is found by a
// later census, and then due again.
func (r *Ring) Seal(ctx context.Context, place string, id any, plaintext []byte) (Envelope, error) {
	if err := r.known(place); err != nil {
		return Envelope{}, err
	}
	dek, err := r.room.take(ctx)
	if err != nil {
		return Envelope{}, failed("seal", place, id, err)
	}
	defer r.room.free(dek)
	if err := newKey(dek); err != nil {
		return Envelope{}, failed("seal", place, id, err)
	}
	e := Envelope{Provider: r.provider}
	if e.Nonce, e.Ciphertext, err = envelope.Seal(dek, plaintext); err != nil {
		return Envelope{}, failed("seal", place, id, err)
	}
	wrapped, v, err := r.member.Wrap(ctx, dek)
	if err != nil {
		return Envelope{}, failed("seal", place, id, err)
	}
	e.WrappedDEK, e.KEKVersion = wrapped, int(v)
	return e, nil
}

// Open unwraps the data key and decrypts. It returns ErrNotHeld for a version that this process
// does not hold, ErrProvider for an envelope of another provider, ErrUndecryptable for one that
// its key does not open, and ErrTokenGone while the token is away. Each but the last is counted
// as a refusal, and reported with the next heartbeat.
func (r *Ring) Open(ctx context.Context, place string, id any, e Envelope) ([]byte, error) {
	if e.Provider != r.provider {
		r.member.Refuse()
		return nil, failed("open", place, id, fmt.Errorf("provider %q: %w", e.Provider, ErrProvider))
	}
	dek, err := r.room.take(ctx)
	if err != nil {
		return nil, failed("open", place, id, err)
	}
	defer r.room.free(dek)
	if err := r.unwrap(ctx, e, dek); err != nil {
		return nil, failed("open", place, id, err)
	}
	plaintext, err := envelope.Envelope{Nonce: e.Nonce, Ciphertext: e.Ciphertext}.Open(dek)
	if err != nil {
		r.member.Refuse()
		return nil, failed("open", place, id, fmt.Errorf("%w: %w", ErrUndecryptable, err))
	}
	return plaintext, nil
}

// unwrap fills in the data key, from the cache if there is one.
func (r *Ring) unwrap(ctx context.Context, e Envelope, dek []byte) error {
	v := kek.Version(e.KEKVersion)
	if r.cache.get(v, e.WrappedDEK, dek) {
		err := r.member.Holds(ctx, v) // a version that was dropped is refused all the same
		if err != nil {
			r.member.Refuse()
		}
		return err
	}
	err := r.member.Unwrap(ctx, v, e.WrappedDEK, dek)
	switch {
	case err == nil:
		r.cache.put(v, e.WrappedDEK, dek)
	case !errors.Is(err, ErrNotHeld) && !errors.Is(err, ErrTokenGone) && !errors.Is(err, ErrTokenBusy):
		err = fmt.Errorf("%w: %w", ErrUndecryptable, err)
	}
	return err
}

// Reseal returns the same plaintext in a new envelope: a new data key, payload and nonce, under
// the active version. A rotation only wraps data keys again; after a compromise, reseal.
func (r *Ring) Reseal(ctx context.Context, place string, id any, e Envelope) (Envelope, error) {
	plaintext, err := r.Open(ctx, place, id, e)
	if err != nil {
		return Envelope{}, err
	}
	defer clear(plaintext)
	return r.Seal(ctx, place, id, plaintext)
}

// known refuses a place that is not in the catalogue.
func (r *Ring) known(place string) error {
	if !r.places[place] {
		return fmt.Errorf("place %q: %w", place, ErrPlace)
	}
	return nil
}

func failed(what, place string, id any, err error) error {
	return fmt.Errorf("%s %s of %v: %w", what, place, id, err)
}
