package pkcs11

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// keyring finds the keys of a batch. A key that there is none of is the matter of its
// items; anything else ends the batch.
func (p *Provider) keyring(ctx context.Context, items []provider.Item, to kek.Name) (keyring, error) {
	k := keyring{to: p.source(ctx, to), from: map[kek.Version]source{}}
	k.to.name = to // that of this batch: whether it is bound is not kept
	if k.to.err != nil {
		return k, k.to.err
	}
	for _, it := range items {
		v := it.From.Version
		if _, ok := k.from[v]; ok {
			continue
		}
		s := p.source(ctx, it.From)
		if s.err != nil && !errors.Is(s.err, provider.ErrNoKey) && !errors.Is(s.err, provider.ErrAmbiguous) {
			return k, s.err
		}
		k.from[v] = s
	}
	return k, nil
}

// source is the key of a name. The first time it wraps its reference, and whenever it
// was found again it must unwrap it.
func (p *Provider) source(ctx context.Context, n kek.Name) source {
	if s, ok := p.sources[n.Version]; ok {
		return s
	}
	s := source{name: n, ref: p.refs[n.Version]}
	for pause := busyPause; ; pause *= 4 {
		s.err = p.settle(ctx, &s)
		if !isBusy(s.err) || pause > maxBusyPause {
			break
		}
		time.Sleep(pause)
		if err := p.reopen(); err != nil {
			s.err = err
			break
		}
	}
	if s.err = named(s.err); s.err == nil {
		p.sources[n.Version], p.refs[n.Version] = s, s.ref
	}
	return s
}

func (p *Provider) settle(ctx context.Context, s *source) (err error) {
	if s.key, err = p.handle(ctx, s.name); err != nil {
		return err
	}
	if s.ref.wrapped != nil {
		return p.same(*s)
	}
	value := make([]byte, kek.Size)
	if _, err := rand.Read(value); err != nil {
		return err
	}
	wrapped, err := p.wrap(s.key, value, nil)
	s.ref = reference{value, wrapped}
	return err
}

// same demands that a key unwraps its reference.
func (s *session) same(k source) error {
	w, err := gcm.Split(k.ref.wrapped)
	if err != nil {
		return err
	}
	back := make([]byte, kek.Size)
	if err := s.unwrap(k.key, w, nil, back); isGone(err) || isLost(err) || isBusy(err) {
		return err
	} else if err != nil || !bytes.Equal(back, k.ref.value) {
		return fmt.Errorf("%w: after a lost session %s is another key", provider.ErrGone, k.name.Label)
	}
	return nil
}

// findAll finds the keys of a ring again, after the session was lost and with it every
// handle. A key that is not to be seen any more is a login that was lost too.
func (s *session) findAll(k *keyring) error {
	found := k.clone()
	if err := s.findAgain(&found.to); err != nil {
		return err
	}
	for v, from := range found.from {
		if from.err != nil {
			continue // there was none
		}
		if err := s.findAgain(&from); err != nil {
			return err
		}
		found.from[v] = from
	}
	*k = found
	return nil
}

func (s *session) findAgain(k *source) (err error) {
	if k.ref.wrapped == nil {
		return fmt.Errorf("%w: a session was lost, and the key was its own", provider.ErrGone)
	}
	k.key, err = s.only(k.name)
	if errors.Is(err, provider.ErrNoKey) || errors.Is(err, provider.ErrAmbiguous) {
		return fmt.Errorf("%w: after a lost session: %s", provider.ErrGone, err.Error())
	}
	if err != nil {
		return err
	}
	return s.same(*k)
}
