package pkcs11

import (
	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/provider/gcm"
	"github.com/certautopilot/kekceremony/internal/secret"
)

// lay lays out an item for the call that re-wraps a chunk, with the IV for the new one.
func (s *session) lay(it provider.Item, keys *keyring, iv []byte) (made item, err error) {
	f := keys.from[it.From.Version]
	if f.err != nil {
		return made, f.err
	}
	w, err := gcm.Split(it.Wrapped)
	if err != nil {
		return made, err
	}
	from, err := it.From.To(it.Binding).AAD()
	if err != nil {
		return made, err
	}
	to, err := keys.to.name.To(it.Binding).AAD()
	if err != nil {
		return made, err
	}
	if it.Payload != nil {
		if err := s.check(f.key, w, from, it.Payload); err != nil {
			return made, err
		}
	}
	made = newItem(f.key, w, iv, s.p.iv)
	return made, bind(&made, from, to)
}

// check unwraps a DEK into locked memory and opens the payload with it.
func (s *session) check(key pkcs11.ObjectHandle, w gcm.Wrapped, aad []byte, payload *provider.Payload) error {
	dek := s.scratch.Room()[roomy : roomy+kek.Size]
	defer secret.Zero(dek)
	if err := s.unwrap(key, w, aad, dek); err != nil {
		return named(err)
	}
	return payload.Check(dek)
}
