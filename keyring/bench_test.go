package keyring_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"testing"

	"github.com/certautopilot/kekceremony/keyring"
)

// size is the payload's, in bytes.
const size = 200

// BenchmarkSeal is one call of Seal under provider env.
func BenchmarkSeal(b *testing.B) {
	r, _ := benchRing(b)
	text := make([]byte, size)
	for b.Loop() {
		if _, err := r.Seal(b.Context(), place, 1, text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is one call of Open.
func BenchmarkOpen(b *testing.B) {
	r, e := benchRing(b)
	for b.Loop() {
		if _, err := r.Open(b.Context(), place, 1, e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRawSeal is what Seal cannot do without: two random nonces, a random key and its AES key
// schedule, and two encryptions.
func BenchmarkRawSeal(b *testing.B) {
	kek := gcmOf(b, make([]byte, 32))
	text, dek, nonce, iv := make([]byte, size), make([]byte, 32), make([]byte, 12), make([]byte, 12)
	for b.Loop() {
		rand.Read(dek)
		rand.Read(nonce)
		rand.Read(iv)
		gcmOf(b, dek).Seal(nil, nonce, text, nil)
		kek.Seal(nil, iv, dek, nil)
	}
}

// BenchmarkRawOpen is what Open cannot do without: two decryptions, and the key schedule of one.
func BenchmarkRawOpen(b *testing.B) {
	kek := gcmOf(b, make([]byte, 32))
	dek, nonce, iv := make([]byte, 32), make([]byte, 12), make([]byte, 12)
	wrapped := kek.Seal(nil, iv, dek, nil)
	sealed := gcmOf(b, dek).Seal(nil, nonce, make([]byte, size), nil)
	for b.Loop() {
		key, err := kek.Open(nil, iv, wrapped, nil)
		if err == nil {
			_, err = gcmOf(b, key).Open(nil, nonce, sealed, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func gcmOf(b *testing.B, key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	return gcm
}

func benchRing(b *testing.B) (*keyring.Ring, keyring.Envelope) {
	r, err := keyring.Open(context.Background(), keyring.Config{File: newHouse(b).parts.Config(), Role: "app"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close(context.Background()) })
	e, err := r.Seal(context.Background(), place, 1, make([]byte, size))
	if err != nil {
		b.Fatal(err)
	}
	return r, e
}
