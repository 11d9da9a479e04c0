package pkcs11

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// trial tries messages on a temporary key, before one is used with a KEK.
type trial struct {
	*session
	key    pkcs11.ObjectHandle
	sample []byte // of the size of a DEK
}

// run returns why messages cannot be used.
func (t trial) run() error {
	probe := source{key: t.key}
	for range 2 { // what makes IVs in one operation may make the same in the next
		if err := t.openLanes(); err != nil {
			return err
		}
		if err := t.proveLanes(&keyring{to: probe}, nil); err != nil {
			return err
		}
		t.closeLanes()
	}
	if err := t.ivs(); err != nil {
		return err
	}
	if err := t.both(nil); err != nil {
		return err
	}
	aad := []byte("kekceremony")
	if err := t.both(aad); err != nil {
		return err
	}
	return t.tamper(aad)
}

// ivs looks for an IV, or an answer, that comes again: in one operation, or in one that is begun again.
// However slow the token is, it looks at eight in two operations.
func (t trial) ivs() error {
	const each, first, least, bound = 256, 4, 8, 2 * time.Second
	most := 16 // whether it takes the host's shows at once
	if t.p.iv != ivHost {
		most = 4096
	}
	seen, size, began := map[string]bool{}, t.p.iv.size(), time.Now()
	for i := 0; i < most && (i < least || time.Since(began) < bound); i++ {
		if i == first || i%each == 0 {
			t.closeLanes()
			if err := t.openLanes(); err != nil {
				return err
			}
		}
		b, err := t.wrapByMessage(t.key, t.sample, nil)
		if err != nil {
			return err
		}
		for _, part := range []string{string(b[:size]), string(b[size:])} {
			if seen[part] {
				return fmt.Errorf("an IV was used twice in %d messages", i+1)
			}
			seen[part] = true
		}
	}
	return nil
}

// both has each form unwrap what the other wrapped.
func (t trial) both(aad []byte) error {
	b, err := t.wrapByMessage(t.key, t.sample, aad)
	if err != nil {
		return err
	}
	w, err := gcm.Split(b)
	if err != nil {
		return err
	}
	back := make([]byte, len(t.sample))
	if err := t.unwrap(t.key, w, aad, back); err != nil {
		return fmt.Errorf("what a message wrapped does not unwrap by two calls: %w", named(err))
	}
	if !bytes.Equal(back, t.sample) {
		return errOther
	}
	if b, err = t.wrap(t.key, t.sample, aad); err != nil {
		return named(err)
	}
	if err := t.unwrapByMessage(&t.lanes.unwrap, t.key, b, aad, t.sample); err != nil {
		return fmt.Errorf("what two calls wrapped does not unwrap by a message: %w", err)
	}
	return nil
}

// tamper flips one bit at a time; each must be refused.
func (t trial) tamper(aad []byte) error {
	b, err := t.wrapByMessage(t.key, t.sample, aad)
	if err != nil {
		return err
	}
	for _, c := range alterations(t.p.iv, len(b)) {
		bad, badAAD := c.alter(b, aad)
		for _, l := range []*lane{&t.lanes.unwrap, &t.lanes.check} {
			switch err := t.unwrapByMessage(l, t.key, bad, badAAD, t.sample); {
			case err == nil || errors.Is(err, errOther):
				return fmt.Errorf("an altered %s was accepted in a message", c.name)
			case isGone(err) || isLost(err):
				return err
			}
		}
		t.closeLanes() // a token may end the operation, which a chunk does as well
		if err := t.openLanes(); err != nil {
			return err
		}
	}
	return t.unwrapByMessage(&t.lanes.check, t.key, b, aad, t.sample)
}
