package pkcs11

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// session is one session on the token, with locked memory of its own. One
// goroutine uses it at a time: a session holds one operation (PKCS#11 v2.40,
// 5.6.1). The login is of the whole application (2.4).
type session struct {
	p       *Provider
	h       pkcs11.SessionHandle
	scratch *secret.Buffer
	lost    bool                // and its keys were not found again yet
	jobs    chan func(*session) // nil for the provider's first session
}

// scratchSize is the memory of a session in bytes: room for an answer, and a DEK.
const scratchSize = roomy + kek.Size

func (p *Provider) openSession() (*session, error) {
	s := &session{p: p}
	var err error
	if s.scratch, err = secret.New(scratchSize); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		s.scratch.Wipe()
		return nil, err
	}
	return s, nil
}

func (s *session) open() error {
	h, err := s.p.ctx.OpenSession(s.p.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("open session on token %s: %w", printable.Quote(s.p.cfg.TokenLabel), named(err))
	}
	s.h = h
	return nil
}

// reopen drops a session that failed: it may be in the middle of an operation. The
// new one is opened first, as whoever closes the last one is logged out (PKCS#11
// v2.40, 5.6.2), unless the token has no room for one more.
func (s *session) reopen() error {
	old := s.h
	s.h = 0 // a module may give the number to another session
	err := s.open()
	if old != 0 {
		_ = s.p.ctx.CloseSession(old) // it may be gone already
	}
	if is(err, pkcs11.CKR_SESSION_COUNT) {
		err = s.open()
	}
	return err
}

// work does the jobs of a worker session on one thread, until there are no more.
func (s *session) work() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for job := range s.jobs {
		job(s)
	}
}

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
func (s *session) patiently(items []provider.Item, places []int, why error, keys *keyring, out []provider.Rewrapped) ([]int, error, error) {
	s.p.patience.Lock()
	defer s.p.patience.Unlock()
	if err := s.again(why, keys); isBusy(err) || isLost(err) {
		return places, why, nil
	} else if err != nil {
		return nil, nil, named(err)
	}
	return s.once(items, places, keys, out)
}

// again opens the session anew, and finds the keys when it was lost.
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

// once does the items at some places in one call. It returns the places of those that
// are worth another try, and provider.ErrBusy, or ErrGone when one of them lost the session.
func (s *session) once(items []provider.Item, places []int, keys *keyring, out []provider.Rewrapped) (left []int, why, err error) {
	size := s.p.iv.size()
	ivs := make([]byte, size*len(places))
	if s.p.iv == ivHost {
		if _, err := rand.Read(ivs); err != nil {
			return nil, nil, err
		}
	}
	iv := func(n int) []byte { return ivs[n*size : (n+1)*size] }
	chunk, at := make([]item, 0, len(places)), make([]int, 0, len(places))
	for n, i := range places {
		w, err := envelope.SplitWrapped(items[i].Wrapped)
		if f := keys.from[items[i].From.Version]; f.err != nil {
			out[i].Err = f.err
		} else if err != nil {
			out[i].Err = err
		} else {
			chunk, at = append(chunk, newItem(f.key, w, iv(n), s.p.iv)), append(at, n)
		}
	}
	s.p.call.rewrap(s.h, keys.to.key, chunk, s.scratch.Room())
	for c, n := range at {
		i := places[n]
		wrapped, err := result(&chunk[c], iv(n), s.p.iv)
		switch out[i].New, out[i].Err = wrapped, err; {
		case isBusy(err):
			if left = append(left, i); why == nil {
				why = fmt.Errorf("%w: %w", provider.ErrBusy, err)
			}
		case isLost(err): // whatever else came of it
			left, why = append(left, i), fmt.Errorf("%w: %w", provider.ErrGone, err)
		case isGone(err):
			return nil, nil, fmt.Errorf("%w: %w", provider.ErrGone, err)
		}
	}
	return left, why, nil
}

// How long a busy token is given, growing fourfold.
const (
	busyPause    = 5 * time.Millisecond
	maxBusyPause = 2 * time.Second
)

// isBusy reports an answer that a token gives when it has too much to do
// (CloudHSM answers CKR_FUNCTION_FAILED or CKR_OPERATION_ACTIVE).
func isBusy(err error) bool {
	return is(err, pkcs11.CKR_FUNCTION_FAILED, pkcs11.CKR_OPERATION_ACTIVE, pkcs11.CKR_DEVICE_MEMORY, pkcs11.CKR_HOST_MEMORY)
}

// isLost reports that a session is gone while the token is there, or a key's handle.
func isLost(err error) bool {
	return is(err, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID)
}

// isGone reports that the token is not there.
func isGone(err error) bool {
	return is(err, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_USER_NOT_LOGGED_IN)
}

func is(err error, codes ...uint) bool {
	var e pkcs11.Error
	var n *Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &n):
		e = pkcs11.Error(n.Code)
	default:
		return false
	}
	for _, c := range codes {
		if uint(e) == c {
			return true
		}
	}
	return false
}
