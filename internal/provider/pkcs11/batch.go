package pkcs11

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/provider"
)

// rewrap does a chunk of items. Those that a busy token refused, or a lost session, are
// tried again, on a new session and after a pause that grows, as long as that gets
// some of them done or is short. When it is of no use the batch is at an end. With a
// lost session the handles of all keys are lost: they are found again first.
func (s *session) rewrap(items []provider.Item, keys *keyring, out []provider.Rewrapped) error {
	pending := make([]int, len(items)) // by their place in items
	for i, it := range items {
		pending[i], out[i] = i, provider.Rewrapped{Old: it.Wrapped}
	}
	left, why, err := s.once(items, pending, keys, out)
	for pause := busyPause; err == nil && len(left) > 0; pause *= 4 {
		if len(left) < len(pending) {
			pause = busyPause
		}
		if pending = left; pause > maxBusyPause || keys.over() {
			return why
		}
		if errors.Is(why, provider.ErrBusy) {
			s.p.tune.busy()
		}
		time.Sleep(pause)
		left, why, err = s.patiently(items, pending, why, keys, out)
	}
	return err
}

// patiently is once on a new session. Of the sessions that are patient one tries at a
// time: a busy token is not asked by all of them at the same instant.
func (s *session) patiently(
	items []provider.Item, places []int, why error, keys *keyring, out []provider.Rewrapped,
) ([]int, error, error) {
	s.p.patience.Lock()
	defer s.p.patience.Unlock()
	if err := s.again(why, keys); isBusy(err) || isLost(err) {
		return places, why, nil
	} else if err != nil {
		return nil, nil, named(err)
	}
	return s.once(items, places, keys, out)
}

// again reopens the session, and finds the keys when it was lost.
func (s *session) again(why error, keys *keyring) error {
	if errors.Is(why, provider.ErrGone) {
		s.lost = true
		s.p.sessionLost.Store(true)
	}
	if err := s.reopen(); err != nil {
		return err
	}
	if !s.lost {
		return nil
	}
	err := s.findAll(keys)
	s.lost = err != nil
	return err
}

// once does the items at some places in one call, by messages where the token has them. What a
// message did not do is done by two calls for each operation, and what came of that counts. It
// returns the places of those that are worth another try, and provider.ErrBusy, or ErrGone when
// one of them lost the session.
func (s *session) once(
	items []provider.Item, places []int, keys *keyring, out []provider.Rewrapped,
) (left []int, why, err error) {
	places, failed, cause := s.byMessages(items, places, keys, out)
	if len(places) == 0 {
		return nil, nil, nil
	}
	var t tries
	if err := s.attempt(nil, items, places, keys, out, t.judge); err != nil {
		return nil, nil, err
	}
	if cause != nil && out[failed].Err == nil {
		s.p.messages.failed(cause)
	}
	return t.left, t.why, nil
}

// attempt does the items at some places in one call, by messages if there are lanes, and has each
// one's end judged. An error of judge's ends it.
func (s *session) attempt(
	by *lanes, items []provider.Item, places []int, keys *keyring, out []provider.Rewrapped,
	judge func(i int, err error) error,
) error {
	size := s.p.iv.size()
	ivs := make([]byte, size*len(places))
	if s.p.iv == ivHost {
		if _, err := rand.Read(ivs); err != nil {
			return err
		}
	}
	iv := func(n int) []byte { return ivs[n*size : (n+1)*size] }
	chunk, at := make([]item, 0, len(places)), make([]int, 0, len(places))
	for n, i := range places {
		made, err := s.lay(items[i], keys, iv(n))
		if out[i].Err = err; err == nil {
			chunk, at = append(chunk, made), append(at, n)
		} else if err := judge(i, err); err != nil {
			return err
		}
	}
	s.p.call.rewrap(s.h, by, keys.to.key, chunk, s.scratch.Room())
	for c, n := range at {
		i := places[n]
		out[i].New, out[i].Err = result(&chunk[c], iv(n), s.p.iv)
		if err := judge(i, out[i].Err); err != nil {
			return err
		}
	}
	return nil
}

// tries are the items of a call that are worth another try, and why.
type tries struct {
	left []int
	why  error
}

// judge takes what came of an item. It returns the error of a call that is at an end.
func (t *tries) judge(i int, err error) error {
	switch {
	case isBusy(err):
		if t.left = append(t.left, i); t.why == nil {
			t.why = fmt.Errorf("%w: %w", provider.ErrBusy, err)
		}
	case isLost(err): // whatever else came of it
		t.left, t.why = append(t.left, i), fmt.Errorf("%w: %w", provider.ErrGone, err)
	case isGone(err):
		return fmt.Errorf("%w: %w", provider.ErrGone, err)
	case errors.Is(err, errTooLong): // no envelope is to blame
		return err
	}
	return nil
}
