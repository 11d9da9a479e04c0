package pkcs11

import (
	"fmt"
	"runtime"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/secret"
)

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
// new one is opened first, as anyone who closes the last one is logged out (PKCS#11
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

// How long a busy token is given, growing fourfold.
const (
	busyPause    = 5 * time.Millisecond
	maxBusyPause = 2 * time.Second
)
