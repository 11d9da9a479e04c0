// Package fleet knows the processes that use the KEK: their heartbeats, whether they
// hold the right key, and the agent that reports for one of them.
package fleet

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store"
)

// MakeCanary wraps a new random value with a key and checks that it unwraps. That of a bound version
// is bound too, so that a row that is not true of its version has a canary that does not open.
func MakeCanary(ctx context.Context, p provider.Provider, by kek.Name) (store.Canary, error) {
	value, err := secret.New(kek.Size)
	if err != nil {
		return store.Canary{}, err
	}
	defer value.Wipe()
	value.SetLen(kek.Size)
	if _, err := rand.Read(value.Bytes()); err != nil {
		return store.Canary{}, err
	}
	wrapped, err := p.Wrap(ctx, by.To(binding.Canary(by.Chain)), value.Bytes())
	if err != nil {
		return store.Canary{}, fmt.Errorf("make canary of version %d: %w", by.Version, err)
	}
	c := store.Canary{Wrapped: wrapped, SHA256: digest(value.Bytes())}
	again, err := OpenCanary(ctx, p, by, c)
	if err != nil {
		return store.Canary{}, err
	}
	again.Wipe()
	return c, nil
}

// OpenCanary unwraps a canary and checks its digest. The caller wipes the value.
func OpenCanary(ctx context.Context, p provider.Provider, by kek.Name, c store.Canary) (*secret.Buffer, error) {
	value, err := secret.New(kek.Size)
	if err != nil {
		return nil, err
	}
	value.SetLen(kek.Size)
	err = p.Unwrap(ctx, by.To(binding.Canary(by.Chain)), c.Wrapped, value.Bytes())
	if err == nil && digest(value.Bytes()) != c.SHA256 {
		err = fmt.Errorf("it unwraps to a value other than %s", printable.Text(c.SHA256))
	}
	if err != nil {
		value.Wipe()
		return nil, fmt.Errorf("check canary of version %d: %w", by.Version, err)
	}
	return value, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Proof shows that the process of a heartbeat holds the same version as the one the
// canary was made with: HMAC-SHA256(canary value, chain | version | process |
// started | heartbeat number), hex (design section 4).
func Proof(canary []byte, chain kek.Chain, v kek.Version, b store.Heartbeat) string {
	mac := hmac.New(sha256.New, canary)
	fmt.Fprintf(mac, "%s|%d|%s|%d|%d", chain, v, b.Process, b.Started.UnixNano(), b.Number)
	return hex.EncodeToString(mac.Sum(nil))
}
