package pkcs11

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// onTemporaryKey runs an experiment of the probe on a key of its own, and on a sample of the size of
// a DEK.
func (p *Provider) onTemporaryKey(experiment func(key pkcs11.ObjectHandle, sample []byte) error) error {
	h, err := p.generate(false, "kekceremony-probe", []byte("kekceremony-probe"))
	if err != nil {
		return err
	}
	defer p.ctx.DestroyObject(p.h, h)
	sample := make([]byte, kek.Size)
	if _, err := rand.Read(sample); err != nil {
		return err
	}
	return experiment(h, sample)
}

// findForms finds what a re-wrap needs to know: who makes the IV, and whether messages are used.
func (p *Provider) findForms(key pkcs11.ObjectHandle, sample []byte) error {
	if p.iv == "" {
		if err := p.discoverIV(key, sample); err != nil {
			return err
		}
	}
	_, err := p.findMessages(key, sample)
	return err
}

// discoverIV offers a buffer of zeros: a token that makes its own IV writes it
// there, or appends it to its answer. One that leaves the zeros, or refuses them,
// takes the host's; whether it really uses what it is given, ivs shows.
func (p *Provider) discoverIV(key pkcs11.ObjectHandle, sample []byte) error {
	iv, out := make([]byte, gcm.IVSize), make([]byte, roomy)
	n, err := p.call.encrypt(p.h, key, iv, nil, sample, out)
	want := len(sample) + gcm.TagSize
	switch {
	case isBusy(err), isLost(err), isGone(err):
		return named(err)
	case err == nil && n == want+gcm.LongIVSize && bytes.Equal(iv, make([]byte, gcm.IVSize)):
		p.iv = ivAppended
	case err == nil && n != want:
		return fmt.Errorf("the token answered %d bytes to %d, want %d: an IV mode this version does not support",
			n, len(sample), want)
	case err == nil && !bytes.Equal(iv, make([]byte, gcm.IVSize)):
		p.iv = ivWritten
	default:
		p.iv = ivHost
	}
	return nil
}
