package pkcs11

// #include "message.h"
//
// static ck_ulong one_message(struct lanes *m, struct lane *l, ck_ulong key, ck_byte *iv, ck_ulong iv_len,
//                             ck_byte *aad, ck_ulong aad_len, ck_byte *in, ck_ulong in_len,
//                             ck_byte *out, ck_ulong *out_len) {
// 	return gcm_message(m, l, key, iv, iv_len, aad, aad_len, in, in_len, out, out_len);
// }
//
// static void end_lane(struct lanes *m, struct lane *l) {
// 	lane_end(m, l);
// }
import "C"

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// lanes are what a session re-wraps by, where the token does messages: three sessions more, each in
// a message operation of one direction with one key.
type (
	lanes = C.struct_lanes
	lane  = C.struct_lane
)

// perWorker is how many sessions each that re-wraps has with its lanes.
const perWorker = 4

// openLanes opens the three sessions. No operation is begun.
func (s *session) openLanes() error {
	m := s.p.messages.functions
	s.lanes, s.proven = &m, map[pkcs11.ObjectHandle]bool{}
	for _, l := range all(s.lanes) {
		h, err := s.p.ctx.OpenSession(s.p.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			s.closeLanes()
			return fmt.Errorf("open a session for messages: %w", named(err))
		}
		l.session = C.ck_ulong(h)
	}
	return nil
}

func all(m *lanes) []*lane { return []*lane{&m.unwrap, &m.wrap, &m.check} }

// closeLanes ends the operations and the sessions. Whatever the token answers, they are not used again.
func (s *session) closeLanes() {
	if s.lanes == nil {
		return
	}
	for _, l := range all(s.lanes) {
		if l.session != 0 {
			C.end_lane(s.lanes, l)
			_ = s.p.ctx.CloseSession(pkcs11.SessionHandle(l.session))
		}
	}
	s.lanes, s.proven = nil, nil
}

// dropLanes closes those of every session, and reports whether there were any. No job is in work.
func (p *Provider) dropLanes() (were bool) {
	for _, s := range append([]*session{p.session}, p.workers...) {
		if s != nil {
			were = were || s.lanes != nil
			s.closeLanes()
		}
	}
	return were
}

// message is one AES-GCM operation with a 128-bit tag into out, and returns how much of out was
// filled: a wrap on the lane wrap, an unwrap on the two others. The token may write into iv.
func (s *session) message(l *lane, key pkcs11.ObjectHandle, iv, aad, in, out []byte) (int, error) {
	n := C.ck_ulong(len(out))
	rv := C.one_message(s.lanes, l, C.ck_ulong(key), pointer(iv), C.ck_ulong(len(iv)),
		pointer(aad), C.ck_ulong(len(aad)), pointer(in), C.ck_ulong(len(in)), pointer(out), &n)
	return int(n), named(asError(rv))
}

// wrapByMessage wraps under the mode found and returns IV || ciphertext || tag.
func (s *session) wrapByMessage(key pkcs11.ObjectHandle, in, aad []byte) ([]byte, error) {
	mode := s.p.iv
	iv := make([]byte, mode.size())
	if mode == ivHost {
		if _, err := rand.Read(iv); err != nil {
			return nil, err
		}
	}
	given, out := bytes.Clone(iv), make([]byte, roomy)
	n, err := s.message(&s.lanes.wrap, key, iv, aad, in, out)
	if err != nil {
		return nil, err
	}
	if err := checkAnswer(mode, given, iv, n); err != nil {
		return nil, err
	}
	return append(iv, out[:n]...), nil
}

// unwrapByMessage unwraps into locked memory, and compares.
func (s *session) unwrapByMessage(l *lane, key pkcs11.ObjectHandle, wrapped, aad, want []byte) error {
	w, err := gcm.Split(wrapped)
	if err != nil {
		return err
	}
	room := s.scratch.Room()[:roomy]
	defer secret.Zero(room)
	n, err := s.message(l, key, bytes.Clone(w.IV), aad, w.Sealed, room)
	if err == nil && (n != len(want) || !bytes.Equal(room[:n], want)) {
		err = errOther
	}
	return err
}

var errOther = errors.New("another value came back")

// proveLanes demands that messages and the other form of each operation agree on the keys of a
// batch: whatever one wraps, the other unwraps. Nothing else tells a token that does both halves of
// messages wrong alike, and by the other form everybody else will unwrap.
func (s *session) proveLanes(keys *keyring, from []source) error {
	if !s.proven[keys.to.key] {
		if err := s.proveTo(keys.to.key); err != nil {
			return fmt.Errorf("messages with %s: %w", keys.to.name.Label, err)
		}
		s.proven[keys.to.key] = true
	}
	for _, k := range from {
		if s.proven[k.key] || k.ref.wrapped == nil { // a key without one is the probe's, which it proves
			continue
		}
		if err := s.unwrapByMessage(&s.lanes.unwrap, k.key, k.ref.wrapped, nil, k.ref.value); err != nil {
			return fmt.Errorf("messages with %s: %w", k.name.Label, err)
		}
		s.proven[k.key] = true
	}
	return nil
}

func (s *session) proveTo(key pkcs11.ObjectHandle) error {
	value, back := make([]byte, kek.Size), make([]byte, kek.Size)
	if _, err := rand.Read(value); err != nil {
		return err
	}
	wrapped, err := s.wrapByMessage(key, value, nil)
	if err != nil {
		return err
	}
	w, err := gcm.Split(wrapped)
	if err != nil {
		return err
	}
	if err := s.p.messages.begins(w.IV); err != nil {
		return err
	}
	if err := s.unwrap(key, w, nil, back); err != nil || !bytes.Equal(back, value) {
		return fmt.Errorf("what a message wrapped does not unwrap by two calls: %w", cmp.Or(named(err), errOther))
	}
	return s.unwrapByMessage(&s.lanes.check, key, wrapped, nil, value)
}
