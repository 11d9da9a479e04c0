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
	err := s.open()
	_ = s.p.ctx.CloseSession(old) // it may be gone already
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

// rewrap does a chunk of items, all of them found. A busy token is given time,
// and a lost session is opened anew, some times; when that is of no use, what is left
// of the chunk is not tried.
func (s *session) rewrap(items []provider.Item, from map[kek.Version]source, to source, out []provider.Rewrapped) error {
	size := s.p.iv.size()
	ivs := make([]byte, size*len(items))
	if s.p.iv == ivHost {
		if _, err := rand.Read(ivs); err != nil {
			return err
		}
	}
	iv := func(i int) []byte { return ivs[i*size : (i+1)*size] }
	chunk := make([]item, 0, len(items))
	at := make([]int, 0, len(items)) // of each item of the chunk, its place in items
	for i, it := range items {
		out[i] = provider.Rewrapped{Old: it.Wrapped}
		w, err := envelope.SplitWrapped(it.Wrapped)
		if f := from[it.From.Version]; f.err != nil {
			out[i].Err = f.err
		} else if err != nil {
			out[i].Err = err
		} else {
			chunk, at = append(chunk, newItem(f.key, w, iv(i), s.p.iv)), append(at, i)
		}
	}
	s.p.call.rewrap(s.h, to.key, chunk, s.scratch.Room())
	for n := range chunk {
		i := at[n]
		out[i].New, out[i].Err = result(&chunk[n], iv(i), s.p.iv)
		if err := out[i].Err; isBusy(err) || isLost(err) {
			out[i].New, out[i].Err = s.patiently(items[i], from[items[i].From.Version], to, isLost(err))
		}
		switch err := out[i].Err; {
		case isBusy(err):
			return fmt.Errorf("%w: %w", provider.ErrBusy, named(err))
		case errors.Is(err, provider.ErrGone):
			return err
		case isLost(err), isGone(err):
			return fmt.Errorf("%w: %w", provider.ErrGone, named(err))
		default:
			out[i].Err = named(err)
		}
	}
	return nil
}

// patiently does one item again: after a pause when the token was busy, on a new
// session in any case. With a lost session the handles of keys are lost too: whatever
// they name now, they are not used.
func (s *session) patiently(it provider.Item, from, to source, lost bool) (wrapped []byte, err error) {
	for pause := busyPause; ; pause *= 4 {
		time.Sleep(pause)
		if err = s.reopen(); err == nil && lost {
			s.p.sessionLost.Store(true)
			err = errors.Join(s.findAgain(&from), s.findAgain(&to))
		}
		if err == nil {
			wrapped, err = s.once(it, from.key, to.key)
		}
		if isBusy(err) {
			s.p.tune.busy()
		}
		lost = lost || isLost(err)
		if err == nil || !isBusy(err) && !isLost(err) || pause > maxBusyPause {
			return wrapped, err
		}
	}
}

func (s *session) once(it provider.Item, from, to pkcs11.ObjectHandle) ([]byte, error) {
	w, err := envelope.SplitWrapped(it.Wrapped)
	if err != nil {
		return nil, err
	}
	iv := make([]byte, s.p.iv.size())
	if s.p.iv == ivHost {
		if _, err := rand.Read(iv); err != nil {
			return nil, err
		}
	}
	one := []item{newItem(from, w, iv, s.p.iv)}
	s.p.call.rewrap(s.h, to, one, s.scratch.Room())
	return result(&one[0], iv, s.p.iv)
}

// How long a busy token is given, growing fourfold.
const (
	busyPause    = 5 * time.Millisecond
	maxBusyPause = 500 * time.Millisecond
)

// isBusy reports an answer that a token gives when it has too much to do
// (CloudHSM answers CKR_FUNCTION_FAILED or CKR_OPERATION_ACTIVE).
func isBusy(err error) bool {
	return is(err, pkcs11.CKR_FUNCTION_FAILED, pkcs11.CKR_OPERATION_ACTIVE, pkcs11.CKR_DEVICE_MEMORY, pkcs11.CKR_HOST_MEMORY)
}

// isLost reports that a session is gone while the token is there.
func isLost(err error) bool {
	return is(err, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED)
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
