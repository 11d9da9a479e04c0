// Package provider is what the engine asks of the place where KEKs live: make
// a key, find it, wrap and unwrap DEKs with it. provider/env keeps keys in
// environment variables, provider/pkcs11 inside an HSM.
package provider

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// Errors a caller decides by. Providers wrap them.
var (
	ErrNoKey      = errors.New("no such key")
	ErrAmbiguous  = errors.New("more than one key, or a key that shares only the label or only the CKA_ID")
	ErrGone       = errors.New("the token is not there")
	ErrBusy       = errors.New("the token is busy")
	ErrKeeper     = errors.New("the provider's process has ended")
	ErrSplit      = errors.New("two processes do not have the same token and keys")
	ErrPINRefused = errors.New("PIN refused")
	ErrPINLocked  = errors.New("PIN locked")
	ErrUntried    = errors.New("no PIN was tried")
	ErrFinalTry   = errors.New("the next wrong PIN locks it")
	ErrNoToken    = errors.New("no such token")
	ErrTokens     = errors.New("more than one token has this label")
	ErrUnguarded  = errors.New("others could change the module")
	ErrNoFile     = errors.New("no file for new keys is configured")
)

// Lost reports an error after which the provider must be opened again: its token or
// its module is not there any more.
func Lost(err error) bool { return errors.Is(err, ErrGone) || errors.Is(err, ErrKeeper) }

// Provider is one place where KEKs live: a store of keys that never leave it. It is used
// by one goroutine at a time. What not every provider has is an interface of its own:
// PINLogin, Parallel.
type Provider interface {
	// Describe says what is pinned, before any login. Keys are field names of
	// the transcript; values are printable text.
	Describe(context.Context) (map[string]string, error)
	// Probe finds out by experiment, on temporary keys, whether the provider
	// keeps the rules. It reports each line as it is known and stops at the
	// first that fails, with a *ProbeError. It leaves nothing behind.
	Probe(ctx context.Context, report func(Verdict)) error
	// Ours lists the labels of all keys named as this tool names them, of any chain.
	Ours(context.Context) ([]string, error)
	// Find looks for the key afresh. It returns ErrNoKey or ErrAmbiguous.
	Find(context.Context, kek.Name) (Key, error)
	// Generate makes the key. It does not look whether there is one: Find does.
	Generate(context.Context, kek.Name) error
	// Destroyable returns ErrKept where it is known beforehand that Destroy would be refused, and
	// ErrNoKey or ErrAmbiguous as Find does.
	Destroyable(context.Context, kek.Name) error
	// Destroy destroys the one key of a name, of which nothing is left here. It refuses as
	// Destroyable does, also where the refusal shows only now. Search says what came of it.
	Destroy(context.Context, kek.Name) error
	// Search looks afresh for the key of a name in each way in which it could be found, and counts.
	Search(context.Context, kek.Name) ([]Searched, error)
	// Wrap returns a 32-byte DEK wrapped in the provider's own form, which nobody else
	// takes apart. Two wraps of one DEK never give the same bytes. The name's AAD is
	// authenticated, here and in Unwrap: without it, the same bytes do not unwrap.
	Wrap(ctx context.Context, by kek.Name, dek []byte) ([]byte, error)
	// Unwrap fills into, of 32 bytes, which the caller wipes.
	Unwrap(ctx context.Context, by kek.Name, wrapped, into []byte) error
	// Rewrap answers every item, in the order of the items. The end of ctx is an error,
	// and ErrGone when the keys cannot be reached any more.
	Rewrap(ctx context.Context, items []Item, to kek.Name) ([]Rewrapped, error)
	Close() error
}

// Parallel is a Provider that re-wraps in several sessions at once.
type Parallel interface {
	// Workers says how many and why, for people to read.
	Workers() string
	// Steady has it try no other number, until it is called again.
	Steady(on bool)
}

// Workers is what a Parallel provider says, or "1".
func Workers(p Provider) string {
	if w, ok := p.(Parallel); ok {
		return w.Workers()
	}
	return "1"
}

// Steady has a Parallel provider try no other number of sessions, or again some.
func Steady(p Provider, on bool) {
	if w, ok := p.(Parallel); ok {
		w.Steady(on)
	}
}

// Key is what a provider says of a key it found.
type Key struct {
	Name       kek.Name
	Attributes map[string]string // as the transcript records them; "unknown" where the token would not say
	// Doubt is nil when everything the provider can read says that the key was
	// made where it lives and never was outside. A planted key of known value
	// gives itself away here, whatever its label.
	Doubt error
}

// Item is one wrapped DEK to re-wrap.
type Item struct {
	From    kek.Name
	Wrapped []byte
	Binding []byte   // of From and of the target, each if it is bound
	Payload *Payload // must open before the DEK is wrapped; nil: that is not asked
}

// Rewrapped carries the bytes it was made from, so that a caller that mixes up
// its own list cannot write over anything else (promise 3).
type Rewrapped struct {
	Old, New []byte
	Err      error // then New is nil
}

// Each is Rewrap over a provider's own Wrap and Unwrap: unwrap, wrap, unwrap
// again, compare in constant time.
func Each(ctx context.Context, p Provider, items []Item, to kek.Name) ([]Rewrapped, error) {
	room, err := secret.New(2 * kek.Size)
	if err != nil {
		return nil, err
	}
	defer room.Wipe()
	dek, again := room.Room()[:kek.Size], room.Room()[kek.Size:2*kek.Size]
	out := make([]Rewrapped, len(items))
	for i, it := range items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i] = rewrap(ctx, p, it, to, dek, again)
		secret.Zero(room.Room()[:2*kek.Size])
	}
	return out, nil
}

func rewrap(ctx context.Context, p Provider, it Item, to kek.Name, dek, again []byte) Rewrapped {
	failed := func(err error) Rewrapped { return Rewrapped{Old: it.Wrapped, Err: err} }
	to = to.To(it.Binding)
	if err := p.Unwrap(ctx, it.From.To(it.Binding), it.Wrapped, dek); err != nil {
		return failed(err)
	}
	if err := it.Payload.Check(dek); err != nil {
		return failed(err)
	}
	wrapped, err := p.Wrap(ctx, to, dek)
	if err != nil {
		return failed(err)
	}
	if err := p.Unwrap(ctx, to, wrapped, again); err != nil {
		return failed(fmt.Errorf("unwrap what was just wrapped: %w", err))
	}
	if subtle.ConstantTimeCompare(dek, again) != 1 {
		return failed(errors.New("what was just wrapped unwraps to another value"))
	}
	return Rewrapped{Old: it.Wrapped, New: wrapped}
}
