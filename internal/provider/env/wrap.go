package env

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// aead is made once for each key: crypto/aes keeps an expanded copy on the heap, which
// nobody can wipe.
func (p *Provider) aead(n kek.Name) (cipher.AEAD, error) {
	key, ok := p.keys[n.Version]
	if !ok {
		return nil, fmt.Errorf("%s: %w", Variable(n.Version), provider.ErrNoKey)
	}
	if known, ok := p.aeads[n.Version]; ok {
		return known, nil
	}
	made, err := newGCM(key.Bytes())
	if err == nil {
		p.aeads[n.Version] = made
	}
	return made, err
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Wrap implements provider.Provider.
func (p *Provider) Wrap(_ context.Context, by kek.Name, dek []byte) ([]byte, error) {
	if len(dek) != kek.Size {
		return nil, fmt.Errorf("wrap with %s: DEK of %d bytes, want %d", Variable(by.Version), len(dek), kek.Size)
	}
	aead, err := p.aead(by)
	if err != nil {
		return nil, fmt.Errorf("wrap: %w", err)
	}
	aad, err := by.AAD()
	if err != nil {
		return nil, fmt.Errorf("wrap with %s: %w", Variable(by.Version), err)
	}
	return seal(aead, dek, aad)
}

func seal(aead cipher.AEAD, dek, aad []byte) ([]byte, error) {
	iv := make([]byte, gcm.IVSize, gcm.IVSize+len(dek)+gcm.TagSize)
	if _, err := rand.Read(iv); err != nil {
		return nil, err
	}
	return aead.Seal(iv, iv, dek, aad), nil
}

// Unwrap implements provider.Provider.
func (p *Provider) Unwrap(_ context.Context, by kek.Name, wrapped, into []byte) error {
	aead, err := p.aead(by)
	if err != nil {
		return fmt.Errorf("unwrap: %w", err)
	}
	aad, err := by.AAD()
	if err == nil {
		err = open(aead, wrapped, into, aad)
	}
	if err != nil {
		return fmt.Errorf("unwrap with %s: %w", Variable(by.Version), err)
	}
	return nil
}

// open decrypts in place: into is the only copy of the DEK.
func open(aead cipher.AEAD, wrapped, into, aad []byte) error {
	w, err := gcm.Split(wrapped)
	if err != nil {
		return err
	}
	if len(w.IV) != gcm.IVSize {
		return fmt.Errorf("IV of %d bytes, want %d", len(w.IV), gcm.IVSize)
	}
	if len(into) != kek.Size {
		return fmt.Errorf("room for %d bytes, want %d", len(into), kek.Size)
	}
	_, err = aead.Open(into[:0], w.IV, w.Sealed, aad)
	return err
}

// Rewrap implements provider.Provider.
func (p *Provider) Rewrap(ctx context.Context, items []provider.Item, to kek.Name) ([]provider.Rewrapped, error) {
	return provider.Each(ctx, p, items, to)
}

// Probe implements provider.Provider, with a random key of its own.
func (p *Provider) Probe(ctx context.Context, report func(provider.Verdict)) error {
	key, sample := make([]byte, kek.Size), make([]byte, kek.Size)
	rand.Read(key)
	rand.Read(sample)
	aead, err := newGCM(key)
	if err != nil {
		return err
	}
	return provider.RunChecks(ctx, []provider.Check{
		{Line: "round trip", Try: func() (string, error) { return roundTrip(aead, sample) }},
		{Line: "tamper", Try: func() (string, error) { return tamper(aead, sample) }},
	}, report)
}

func roundTrip(aead cipher.AEAD, sample []byte) (string, error) {
	w, err := seal(aead, sample, nil)
	if err != nil {
		return "", err
	}
	back := make([]byte, kek.Size)
	if err := open(aead, w, back, nil); err != nil {
		return "", err
	}
	if !bytes.Equal(back, sample) {
		return "", errors.New("another value came back")
	}
	return "AES-256-GCM in this process", nil
}

func tamper(aead cipher.AEAD, sample []byte) (string, error) {
	w, err := seal(aead, sample, nil)
	if err != nil {
		return "", err
	}
	for at := range w {
		bad := bytes.Clone(w)
		bad[at] ^= 1
		if open(aead, bad, make([]byte, kek.Size), nil) == nil {
			return "", fmt.Errorf("an alteration of byte %d was accepted", at)
		}
	}
	return fmt.Sprintf("each of %d bytes altered: each refused", len(w)), nil
}
