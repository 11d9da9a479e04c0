package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// Wrap implements provider.Provider.
func (p *Provider) Wrap(ctx context.Context, by kek.Name, dek []byte) ([]byte, error) {
	if len(dek) != kek.Size {
		return nil, fmt.Errorf("wrap with %s: DEK of %d bytes, want %d", by.Label, len(dek), kek.Size)
	}
	if p.iv == "" {
		if err := p.onTemporaryKey(p.discoverIV); err != nil {
			return nil, err
		}
	}
	aad, err := by.AAD()
	if err != nil {
		return nil, fmt.Errorf("wrap with %s: %w", by.Label, err)
	}
	h, err := p.handle(ctx, by)
	if err != nil {
		return nil, err
	}
	wrapped, err := p.wrap(h, dek, aad)
	if err != nil {
		return nil, fmt.Errorf("wrap with %s: %w", by.Label, named(err))
	}
	return wrapped, nil
}

// wrap encrypts in under the mode found and returns IV || ciphertext || tag.
func (s *session) wrap(key pkcs11.ObjectHandle, in, aad []byte) ([]byte, error) {
	p := s.p
	size := p.iv.size()
	iv := make([]byte, size)
	if p.iv == ivHost {
		if _, err := rand.Read(iv); err != nil {
			return nil, err
		}
	}
	given := bytes.Clone(iv)
	out := make([]byte, size+roomy)
	n, err := p.call.encrypt(s.h, key, iv, aad, in, out[size:])
	if err != nil {
		return nil, err
	}
	if p.iv == ivAppended && n > size {
		n -= size
		copy(iv, out[size+n:])
	}
	if err := checkAnswer(p.iv, given, iv, n); err != nil {
		return nil, err
	}
	copy(out, iv)
	return out[:size+n], nil
}

// checkAnswer refuses what a token must never answer to a wrap.
func checkAnswer(mode ivMode, given, iv []byte, n int) error {
	switch {
	case n != kek.Size+gcm.TagSize:
		return fmt.Errorf("the token answered %d bytes, want %d", n, kek.Size+gcm.TagSize)
	case mode == ivHost && !bytes.Equal(iv, given):
		return errors.New("the token changed the IV it was given")
	case bytes.Equal(iv, make([]byte, len(iv))):
		return errors.New("the IV is all zeros")
	}
	return nil
}

// Unwrap implements provider.Provider.
func (p *Provider) Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error {
	h, err := p.handle(ctx, by)
	if err != nil {
		return err
	}
	w, err := gcm.Split(wrapped)
	if err != nil {
		return fmt.Errorf("unwrap with %s: %w", by.Label, err)
	}
	aad, err := by.AAD()
	if err != nil {
		return fmt.Errorf("unwrap with %s: %w", by.Label, err)
	}
	if err := p.unwrap(h, w, aad, into); err != nil {
		return fmt.Errorf("unwrap with %s: %w", by.Label, named(err))
	}
	return nil
}

// unwrap decrypts into locked memory first: some tokens want room for the tag
// as well (SoftHSM2), and a token is never given less than roomy.
func (s *session) unwrap(key pkcs11.ObjectHandle, w gcm.Wrapped, aad, into []byte) error {
	room := s.scratch.Room()[:roomy]
	defer secret.Zero(room)
	n, err := s.p.call.decrypt(s.h, key, bytes.Clone(w.IV), aad, w.Sealed, room)
	if err != nil {
		return err
	}
	if n != len(into) {
		return fmt.Errorf("the token answered %d bytes, want %d", n, len(into))
	}
	copy(into, room)
	return nil
}
