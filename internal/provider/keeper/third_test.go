package keeper_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/memorytest"
	"github.com/certautopilot/kekceremony/internal/provider/providertest"
)

// TestThirdProvider: a provider that the keeper does not know is kept once it is registered,
// with what it has and no more: it has no PIN, and its wrapped DEKs have another length.
func TestThirdProvider(t *testing.T) {
	t.Parallel()
	p := open(t, memorytest.Settings{Zone: "a"})
	if _, ok := p.(provider.PINLogin); ok {
		t.Error("it has a PIN")
	}
	about, err := p.Describe(t.Context())
	if err != nil || about["provider"] != memorytest.Name || about["zone"] != "a" {
		t.Errorf("%v, %v", about, err)
	}
	deks, items := keys(t, p, 20)
	out, err := p.Rewrap(t.Context(), items, kek.NameOf(chain, 2))
	if err != nil {
		t.Fatal(err)
	}
	for i, dek := range deks {
		if !bytes.Equal(out[i].Old, items[i].Wrapped) || len(out[i].New) != 79 {
			t.Fatalf("item %d: %d bytes, from other bytes than it was asked for: %v", i, len(out[i].New), out[i].Err)
		}
		into := make([]byte, kek.Size)
		if err := p.Unwrap(t.Context(), kek.NameOf(chain, 2), out[i].New, into); err != nil || !bytes.Equal(into, dek) {
			t.Fatalf("item %d: %v", i, err)
		}
	}
}

// TestBound: bindings and payloads pass the socket.
func TestBound(t *testing.T) {
	t.Parallel()
	providertest.Bound(t, open(t, memorytest.Settings{Zone: "a"}))
}

// TestDestroy: what is asked to destroy a key, and what came of it, passes the socket.
func TestDestroy(t *testing.T) {
	t.Parallel()
	p := open(t, memorytest.Settings{Zone: "a"})
	keys(t, p, 1)
	one := kek.NameOf(chain, 1)
	for _, found := range []int{1, 0} {
		all, err := p.Search(t.Context(), one)
		if err != nil || len(all) != 1 || all[0] != (provider.Searched{Where: "memory", Found: found}) {
			t.Errorf("%v, %v", all, err)
		}
		if err := p.Destroyable(t.Context(), one); (err == nil) != (found == 1) {
			t.Errorf("destroyable, of %d: %v", found, err)
		}
		if err := p.Destroy(t.Context(), one); found == 0 && !errors.Is(err, provider.ErrNoKey) || found == 1 && err != nil {
			t.Errorf("of %d: %v", found, err)
		}
	}
}
