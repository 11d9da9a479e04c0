// Package providertest has tests that each provider passes.
package providertest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

const chain kek.Chain = "00112233445566778899aabbccddeeff"

// bound is the name of a version that is bound.
func bound(v kek.Version) kek.Name {
	n := kek.NameOf(chain, v)
	n.Bound = true
	return n
}

// to is the binding of a record by its number.
func to(t *testing.T, record int) []byte {
	t.Helper()
	id, err := binding.IDOf(record)
	if err != nil {
		t.Fatal(err)
	}
	return binding.DEK(chain, "notes.secret", id)
}

// Bound tests that versions 1, which is not bound, 2 and 3, which are, take nothing for the other. The
// provider has no keys yet.
func Bound(t *testing.T, p provider.Provider) {
	t.Helper()
	for v := kek.Version(1); v <= 3; v++ {
		if err := p.Generate(t.Context(), kek.NameOf(chain, v)); err != nil {
			t.Fatal(err)
		}
	}
	unwraps(t, p)
	rewraps(t, p)
}

var dek = bytes.Repeat([]byte{7}, kek.Size)

func wrap(t *testing.T, p provider.Provider, by kek.Name) []byte {
	t.Helper()
	wrapped, err := p.Wrap(t.Context(), by, dek)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

func opens(t *testing.T, p provider.Provider, by kek.Name, wrapped []byte) bool {
	t.Helper()
	into := make([]byte, kek.Size)
	return p.Unwrap(t.Context(), by, wrapped, into) == nil && bytes.Equal(into, dek)
}

func unwraps(t *testing.T, p provider.Provider) {
	t.Helper()
	one, two, plain := kek.NameOf(chain, 1), bound(2), kek.NameOf(chain, 2)
	first := wrap(t, p, two.To(to(t, 1)))
	for _, c := range []struct {
		what    string
		by      kek.Name
		wrapped []byte
		opens   bool
	}{
		{"of its own record", two.To(to(t, 1)), first, true},
		{"of another record", two.To(to(t, 2)), first, false},
		{"as a canary", two.To(binding.Canary(chain)), first, false},
		{"taken for one that is not bound", plain, first, false},
		{"not bound, by a reader that binds", two.To(to(t, 1)), wrap(t, p, plain), false},
		{"under a version that is not bound, whatever the record", one.To(to(t, 9)), wrap(t, p, one), true},
	} {
		if opens(t, p, c.by, c.wrapped) != c.opens {
			t.Errorf("a DEK %s: opens %v", c.what, !c.opens)
		}
	}
	if _, err := p.Wrap(t.Context(), two, dek); !errors.Is(err, kek.ErrBinding) {
		t.Errorf("wrapped without a record: %v", err)
	}
	if err := p.Unwrap(t.Context(), two, first, make([]byte, kek.Size)); !errors.Is(err, kek.ErrBinding) {
		t.Errorf("unwrapped without a record: %v", err)
	}
}

func rewraps(t *testing.T, p provider.Provider) {
	t.Helper()
	one, two, three := kek.NameOf(chain, 1), bound(2), bound(3)
	plain, first := wrap(t, p, one), wrap(t, p, two.To(to(t, 1)))
	items := []provider.Item{
		{From: one, Wrapped: plain, Binding: to(t, 1), Payload: payload(t, dek)},
		{From: two, Wrapped: first, Binding: to(t, 1)},
		{From: two, Wrapped: first, Binding: to(t, 2)},
		{From: one, Wrapped: plain, Binding: to(t, 2), Payload: payload(t, bytes.Repeat([]byte{8}, kek.Size))},
		{From: one, Wrapped: plain, Binding: to(t, 2), Payload: &provider.Payload{}},
		{From: one, Wrapped: plain},
	}
	out, err := p.Rewrap(t.Context(), items, three)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, nil, errOther, provider.ErrPayload, provider.ErrPayload, kek.ErrBinding} {
		if got := out[i]; got.Err == nil && !opens(t, p, three.To(to(t, 1)), got.New) ||
			(got.Err == nil) != (want == nil) || got.Err != nil && got.New != nil ||
			want != nil && want != errOther && !errors.Is(got.Err, want) {
			t.Errorf("re-wrap of item %d: %v", i, out[i].Err)
		}
	}
	back, err := p.Rewrap(t.Context(), []provider.Item{{From: two, Wrapped: first, Binding: to(t, 1)}}, one)
	if err != nil || back[0].Err != nil || !opens(t, p, one, back[0].New) {
		t.Errorf("back to a version that is not bound: %v, %v", err, back)
	}
}

// errOther stands for any error of a provider's own.
var errOther = errors.New("any other")

// payload is one under a DEK.
func payload(t *testing.T, dek []byte) *provider.Payload {
	t.Helper()
	block, err := aes.NewCipher(dek)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := bytes.Repeat([]byte{3}, aead.NonceSize())
	return &provider.Payload{Nonce: nonce, Ciphertext: aead.Seal(nil, nonce, []byte("a secret"), nil)}
}
