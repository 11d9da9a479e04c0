package pkcs11

import (
	"bytes"
	"context"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// Destroyable implements provider.Provider.
func (p *Provider) Destroyable(_ context.Context, n kek.Name) error {
	_, err := p.destroyable(n)
	return err
}

// destroyable is the one key of a name, unless the token says that it may not be destroyed
// (PKCS#11 v2.40, 4.4: CKA_DESTROYABLE). Many tokens do not know the attribute.
func (p *Provider) destroyable(n kek.Name) (pkcs11.ObjectHandle, error) {
	h, err := p.only(n)
	if err != nil {
		return 0, err
	}
	may, err := p.call.attribute(p.h, h, pkcs11.CKA_DESTROYABLE)
	switch {
	case isGone(err) || isLost(err):
		return 0, fmt.Errorf("destroy key %s: %w", n.Label, named(err))
	case err == nil && bytes.Equal(may, []byte{0}):
		return 0, fmt.Errorf("destroy key %s: CKA_DESTROYABLE is false: %w", n.Label, provider.ErrKept)
	}
	return h, nil
}

// Destroy implements provider.Provider: the very object that its name leads to, and no other.
func (p *Provider) Destroy(_ context.Context, n kek.Name) error {
	h, err := p.destroyable(n)
	if err != nil {
		return err
	}
	p.forget(n.Version)
	err = p.ctx.DestroyObject(p.h, h)
	switch {
	case err == nil:
		return nil
	case isGone(err) || isLost(err) || isBusy(err): // it may have been done
		return fmt.Errorf("destroy key %s: %w", n.Label, named(err))
	}
	return fmt.Errorf("destroy key %s: %w: %w", n.Label, named(err), provider.ErrKept)
}

// Search implements provider.Provider: in a session of its own, and in each that is open, for
// objects of any class. How many are open differs from run to run, and is no part of what was found.
func (p *Provider) Search(_ context.Context, n kek.Name) ([]provider.Searched, error) {
	fresh, err := p.openSession()
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = p.ctx.CloseSession(fresh.h)
		fresh.scratch.Wipe()
	}()
	sessions := append([]*session{fresh, p.session}, p.workers...)
	var all []provider.Searched
	for _, attribute := range p.cfg.wanted(n) {
		what := "label " + n.Label
		if attribute.Type == pkcs11.CKA_ID {
			what = "CKA_ID " + n.HexID()
		}
		one := provider.Searched{Where: what + ", in every session"}
		for _, s := range sessions {
			found, err := s.find(attribute)
			if err != nil {
				return nil, fmt.Errorf("search for key %s: %w", n.Label, err)
			}
			one.Found = max(one.Found, len(found))
		}
		all = append(all, one)
	}
	return all, nil
}
