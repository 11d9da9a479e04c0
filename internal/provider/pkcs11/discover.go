package pkcs11

import (
	"bytes"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
)

// findIVMode runs the experiment on a temporary key of its own.
func (p *Provider) findIVMode() error {
	h, err := p.generate(false, "kekceremony-probe", []byte("kekceremony-probe"))
	if err != nil {
		return err
	}
	defer p.ctx.DestroyObject(p.h, h)
	return p.discoverIV(h, make([]byte, kek.Size))
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
