package pkcs11

// #include "message.h"
import "C"

import (
	"cmp"
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// messages is whether the re-wrap uses the messages of PKCS#11 3.0, and what came of them.
type messages struct {
	functions lanes // with no session
	mu        sync.Mutex
	on        bool
	failures  int             // in a row, of what two calls then did
	first     map[string]bool // the first IV of each operation that was begun
	gaveUp    string          // why
}

// maxFailures is how often in a row messages may fail at what two calls then do.
const maxFailures = 3

func (m *messages) used() bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.on
}

// worked ends a row of failures.
func (m *messages) worked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures = 0
}

// failed counts a failure of what two calls did. An answer that no token may give, and one that says
// that there are no messages or no more sessions, is the last.
func (m *messages) failed(err error) {
	var code *Error
	if !errors.As(err, &code) || is(err, pkcs11.CKR_SESSION_COUNT, pkcs11.CKR_FUNCTION_NOT_SUPPORTED) {
		m.giveUp(err)
		return
	}
	m.mu.Lock()
	m.failures++
	last := m.failures >= maxFailures
	m.mu.Unlock()
	if last {
		m.giveUp(err)
	}
}

// begins refuses an operation that begins with the IV that another began with: its token counts, and
// would make all of them again.
func (m *messages) begins(iv []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first[string(iv)] {
		return errors.New("two operations began with the same IV")
	}
	m.first[string(iv)] = true
	return nil
}

// giveUp has the re-wrap go on with two calls for each operation.
func (m *messages) giveUp(why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.on {
		m.on, m.gaveUp = false, why.Error()
	}
}

// String is empty where there is nothing to say.
func (m *messages) String() string {
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.on:
		return "; by messages"
	case m.gaveUp != "":
		return "; by two calls, since a message failed: " + m.gaveUp
	}
	return ""
}

// findMessages finds whether messages can be used, on a temporary key, and why not. Only a token that is
// not there is an error of its own.
func (p *Provider) findMessages(key pkcs11.ObjectHandle, sample []byte) (why, err error) {
	p.dropLanes()
	p.messages = &messages{first: map[string]bool{}}
	if why := p.offered(); why != nil {
		return why, nil
	}
	p.messages.functions.generator = C.CKG_NO_GENERATE
	if p.iv != ivHost {
		p.messages.functions.generator = C.CKG_GENERATE_RANDOM
	}
	why = trial{p.session, key, sample}.run()
	p.closeLanes()
	if isGone(why) {
		return nil, why
	}
	p.messages.on = why == nil
	return why, nil
}

// offered looks for the functions, with the mechanism's flags, and for room: each session that
// re-wraps needs three more.
func (p *Provider) offered() (err error) {
	if use := p.cfg.UseMessages; use != nil && !*use {
		return errors.New("use_messages is false")
	}
	if p.messages.functions, err = findInterface(moduleOf(p.ctx), p.slot); err != nil {
		return err
	}
	workers := cmp.Or(min(p.cfg.Sessions, maxSessions), maxSessions)
	if most := p.info.MaxRwSessionCount; bounded(most) && most < uint(1+perWorker*workers) {
		return fmt.Errorf("the token takes %d sessions, and messages for %d that re-wrap want %d", most, workers,
			1+perWorker*workers)
	}
	return nil
}

// byMessages does what it can of the items at some places by messages. It returns the places of the
// rest, which is done by two calls, and of what failed, and why.
func (s *session) byMessages(
	items []provider.Item, places []int, keys *keyring, out []provider.Rewrapped,
) (rest []int, failed int, why error) {
	if !s.p.messages.used() {
		s.closeLanes()
		return places, 0, nil
	}
	if why = s.readyLanes(items, places, keys); why == nil {
		err := s.attempt(s.lanes, items, places, keys, out, func(i int, err error) error {
			if err != nil {
				rest = append(rest, i)
			}
			if why == nil && err != nil && !errors.Is(err, errUntried) {
				failed, why = i, err
			}
			return nil
		})
		if why == nil && err == nil {
			s.p.messages.worked()
			return nil, 0, nil
		}
		why = cmp.Or(why, err)
	} else {
		rest, failed = places, places[0]
	}
	s.closeLanes() // an operation may be in any state
	return rest, failed, why
}

func (s *session) readyLanes(items []provider.Item, places []int, keys *keyring) error {
	if s.lanes == nil {
		if err := s.openLanes(); err != nil {
			return err
		}
	}
	seen, from := map[kek.Version]bool{}, []source(nil)
	for _, i := range places {
		v := items[i].From.Version
		if k := keys.from[v]; !seen[v] && k.err == nil {
			from = append(from, k)
		}
		seen[v] = true
	}
	return s.proveLanes(keys, from)
}
