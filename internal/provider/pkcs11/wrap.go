package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// ivMode says who makes the IV. It is found by experiment, never configured:
// a wrong guess would give a constant IV while every round trip passes.
type ivMode string

const (
	ivHost    ivMode = "host"    // we pass 12 random bytes
	ivWritten ivMode = "written" // we pass 12 zeros, the token overwrites them (CloudHSM, ProtectServer)
)

const ivSize = 12

// roomy is the one output buffer of every operation here, larger than any
// answer to 32 bytes, so that no size query is needed.
const roomy = 256

// Wrap implements provider.Provider.
func (p *Provider) Wrap(ctx context.Context, by kek.Name, dek []byte) ([]byte, error) {
	if len(dek) != kek.Size {
		return nil, fmt.Errorf("wrap with %s: DEK of %d bytes, want %d", by.Label, len(dek), kek.Size)
	}
	if p.iv == "" {
		if err := p.findIVMode(); err != nil {
			return nil, err
		}
	}
	h, err := p.handle(ctx, by)
	if err != nil {
		return nil, err
	}
	wrapped, err := p.wrap(h, dek, nil)
	if err != nil {
		return nil, fmt.Errorf("wrap with %s: %w", by.Label, named(err))
	}
	return wrapped, nil
}

// wrap encrypts in under the mode found and returns IV || ciphertext || tag.
func (p *Provider) wrap(key pkcs11.ObjectHandle, in, aad []byte) ([]byte, error) {
	iv := make([]byte, ivSize)
	if p.iv == ivHost {
		if _, err := rand.Read(iv); err != nil {
			return nil, err
		}
	}
	given := bytes.Clone(iv)
	out := make([]byte, ivSize+roomy)
	n, err := p.call.encrypt(p.session, key, iv, aad, in, out[ivSize:])
	if err != nil {
		return nil, err
	}
	if n != len(in)+envelope.TagSize {
		return nil, fmt.Errorf("the token answered %d bytes to %d, want %d", n, len(in), len(in)+envelope.TagSize)
	}
	if p.iv == ivHost && !bytes.Equal(iv, given) {
		return nil, errors.New("the token changed the IV it was given")
	}
	if bytes.Equal(iv, make([]byte, ivSize)) {
		return nil, errors.New("the IV is all zeros")
	}
	copy(out, iv)
	return out[:ivSize+n], nil
}

// Unwrap implements provider.Provider.
func (p *Provider) Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error {
	h, err := p.handle(ctx, by)
	if err != nil {
		return err
	}
	w, err := envelope.SplitWrapped(wrapped)
	if err != nil {
		return fmt.Errorf("unwrap with %s: %w", by.Label, err)
	}
	if err := p.unwrap(h, w, nil, into); err != nil {
		return fmt.Errorf("unwrap with %s: %w", by.Label, named(err))
	}
	return nil
}

// unwrap decrypts into locked memory first: some tokens want room for the tag
// as well (SoftHSM2), and a token is never given less than roomy.
func (p *Provider) unwrap(key pkcs11.ObjectHandle, w envelope.Wrapped, aad, into []byte) error {
	room := p.scratch.Room()[:roomy]
	defer secret.Zero(room)
	n, err := p.call.decrypt(p.session, key, bytes.Clone(w.IV), aad, w.Sealed, room)
	if err != nil {
		return err
	}
	if n != len(into) {
		return fmt.Errorf("the token answered %d bytes, want %d", n, len(into))
	}
	copy(into, room)
	return nil
}

// Rewrap implements provider.Provider.
func (p *Provider) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	return provider.Each(ctx, p, items, to)
}
