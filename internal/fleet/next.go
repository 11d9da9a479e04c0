package fleet

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
	"github.com/certautopilot/kekceremony/internal/store"
)

// A version that no ceremony made yet has no canary. A process that holds the key brings a
// canary of its own in each heartbeat: a random value, wrapped, and the proof made with it. Only
// the same key unwraps it. The value stays secret: a wrapped value that others know would be a
// data key that they know.

// proveNext adds to the heartbeat a proof of the version after the last, if its key is there:
// the wrapped value in hex, a dot, and the proof. It is no trouble that there is none.
func (m *Member) proveNext(ctx context.Context, keks []store.KEK) {
	v := kek.Version(1)
	for _, k := range keks {
		v = max(v, k.Version+1)
	}
	name := kek.NameOf(m.Chain, v)
	_ = m.with(ctx, func(p provider.Provider) error {
		if _, err := p.Find(ctx, name); err != nil {
			return err
		}
		value, err := secret.New(kek.Size)
		if err != nil {
			return err
		}
		defer value.Wipe()
		value.SetLen(kek.Size)
		if _, err := rand.Read(value.Bytes()); err != nil {
			return err
		}
		wrapped, err := p.Wrap(ctx, name, value.Bytes())
		if err == nil {
			m.beat.Proofs[v] = hex.EncodeToString(wrapped) + "." + Proof(value.Bytes(), m.Chain, v, m.beat)
		}
		return err
	})
}

// Unwrap unwraps what the target wrapped, into as many bytes as a DEK has.
type Unwrap func(wrapped, into []byte) error

// proved reports whether a heartbeat brings a proof of the target, and a canary of its own that
// this console's key unwraps.
func (u Unwrap) proved(r Rule, b store.Heartbeat) bool {
	text, proof, _ := strings.Cut(b.Proofs[r.Target], ".")
	wrapped, err := hex.DecodeString(text)
	if err != nil {
		return false
	}
	value, err := secret.New(kek.Size)
	if err != nil {
		return false
	}
	defer value.Wipe()
	value.SetLen(kek.Size)
	return u(wrapped, value.Bytes()) == nil && same(proof, Proof(value.Bytes(), r.Chain, r.Target, b))
}

func same(proof, other string) bool {
	return subtle.ConstantTimeCompare([]byte(proof), []byte(other)) == 1
}
