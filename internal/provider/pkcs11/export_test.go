package pkcs11

import "github.com/miekg/pkcs11"

// CloseAll takes every session from the provider, and with them the login, as a token
// does that was reset.
func (p *Provider) CloseAll() error { return p.ctx.CloseAllSessions(p.slot) }

// CheckLayout is what Open asks of the bindings' Ctx.
var CheckLayout = checkLayout

// Lanes is how many sessions have lanes.
func (p *Provider) Lanes() (n int) {
	for _, s := range append([]*session{p.session}, p.workers...) {
		if s.lanes != nil {
			n++
		}
	}
	return n
}

// TryMessages is the probe's line on messages, on a temporary key, without what the probe does before it.
func (p *Provider) TryMessages() (line string, err error) {
	err = p.onTemporaryKey(func(key pkcs11.ObjectHandle, sample []byte) error {
		if err := p.discoverIV(key, sample); err != nil {
			return err
		}
		pr := &probe{Provider: p, key: key, sample: sample}
		line, err = pr.tryMessages()
		return err
	})
	return line, err
}
