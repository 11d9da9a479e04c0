package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hiddeco/sshsig"
)

// FIDO is what an authenticator says of a signature it made (openssh PROTOCOL.u2f,
// "SSH U2F Signatures"). Stock ssh-keygen asks for none of it.
type FIDO struct {
	Touched  bool
	Verified bool   // the user, by PIN or finger
	Counter  uint32 // of signatures; always 0 where the authenticator does not count
}

// String is how the transcript records it.
func (f FIDO) String() string {
	text := "touched"
	if f.Verified {
		text += ", user verified"
	}
	return fmt.Sprintf("%s, counter %d", text, f.Counter)
}

// Flags of an authenticator (PROTOCOL.u2f, from CTAP 2).
const (
	flagTouched  = 0x01
	flagVerified = 0x04
)

// fidoOf reads the flags and the counter that follow the signature of a key on an
// authenticator; nil for any other key.
func fidoOf(sig *sshsig.Signature) (*FIDO, error) {
	rest := sig.Signature.Rest
	if !isHardware(sig.PublicKey) {
		if len(rest) > 0 { // stock ssh-keygen refuses them
			return nil, fmt.Errorf("%d bytes follow the signature", len(rest))
		}
		return nil, nil
	}
	if len(rest) != 5 {
		return nil, fmt.Errorf("%d bytes of flags and counter, want 5", len(rest))
	}
	return &FIDO{rest[0]&flagTouched != 0, rest[0]&flagVerified != 0, binary.BigEndian.Uint32(rest[1:])}, nil
}

func (f FIDO) allowed(verified bool) error {
	switch {
	case !f.Touched:
		return errors.New("nobody touched the authenticator")
	case verified && !f.Verified:
		return errors.New("the authenticator did not verify its user, which the roster demands")
	}
	return nil
}

// Counters are the last signature counters of authenticators, by key fingerprint.
type Counters map[string]uint32

// Next refuses a counter that did not grow: the same key is in two places, or the
// signature is an old one.
func (c Counters) Next(p Proof) error {
	if p.FIDO == nil {
		return nil
	}
	key, n := p.Fingerprint(), p.FIDO.Counter
	if last := c[key]; n <= last && last > 0 {
		return fmt.Errorf("signature of %s: the authenticator's counter is %d, and was %d before", p.Name, n, last)
	}
	c[key] = n
	return nil
}
