package pkcs11

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// template is what a KEK is made with: usable for AES-GCM and nothing else
// (PKCS#11 v2.40, 4.8 and 4.10). CKA_COPYABLE is new in v2.40: not every token knows it.
func template(token bool, label string, id []byte, copyable bool) []*pkcs11.Attribute {
	a := pkcs11.NewAttribute
	all := []*pkcs11.Attribute{
		a(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		a(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		a(pkcs11.CKA_VALUE_LEN, kek.Size),
		a(pkcs11.CKA_TOKEN, token),
		a(pkcs11.CKA_PRIVATE, true),
		a(pkcs11.CKA_SENSITIVE, true),
		a(pkcs11.CKA_EXTRACTABLE, false),
		a(pkcs11.CKA_MODIFIABLE, false),
		a(pkcs11.CKA_ENCRYPT, true),
		a(pkcs11.CKA_DECRYPT, true),
		a(pkcs11.CKA_WRAP, false),
		a(pkcs11.CKA_UNWRAP, false),
		a(pkcs11.CKA_DERIVE, false),
		a(pkcs11.CKA_SIGN, false),
		a(pkcs11.CKA_VERIFY, false),
		a(pkcs11.CKA_LABEL, label),
		a(pkcs11.CKA_ID, id),
	}
	if copyable {
		all = append(all, a(pkcs11.CKA_COPYABLE, false))
	}
	return all
}

func (p *Provider) generate(token bool, label string, id []byte) (pkcs11.ObjectHandle, error) {
	mech := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}
	h, err := p.ctx.GenerateKey(p.h, mech, template(token, label, id, true))
	if is(err, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID) { // no key was made
		h, err = p.ctx.GenerateKey(p.h, mech, template(token, label, id, false))
	}
	if err != nil {
		return 0, fmt.Errorf("generate key %s: %w", label, named(err))
	}
	return h, nil
}

// Generate implements provider.Provider.
func (p *Provider) Generate(_ context.Context, n kek.Name) error {
	_, err := p.generate(true, n.Label, n.ID)
	return err
}

// Find implements provider.Provider. Label and CKA_ID must lead to one and the
// same key: a second one under either is somebody else's work.
func (p *Provider) Find(_ context.Context, n kek.Name) (provider.Key, error) {
	p.forget(n.Version)
	key, err := p.only(n)
	if err != nil {
		return provider.Key{}, err
	}
	p.handles[n.Version] = key
	attributes, err := p.attributes(key)
	if err != nil {
		return provider.Key{}, fmt.Errorf("read key %s: %w", n.Label, err)
	}
	if _, adopted := p.cfg.Adopted[n.Version.String()]; adopted {
		if err := p.addName(key, attributes); err != nil {
			return provider.Key{}, fmt.Errorf("read key %s: %w", n.Label, named(err))
		}
	}
	return provider.Key{Name: n, Attributes: attributes, Doubt: born(n.Label, attributes)}, nil
}

// forget drops what goes by a key's handle: another key may have it next. The key's reference stays.
func (p *Provider) forget(v kek.Version) {
	delete(p.handles, v)
	delete(p.sources, v)
	p.dropLanes()
}

// only is the one key of a name.
func (s *session) only(n kek.Name) (pkcs11.ObjectHandle, error) {
	var found [][]pkcs11.ObjectHandle
	for _, attribute := range s.p.cfg.wanted(n) {
		some, err := s.find(attribute)
		if err != nil {
			return 0, fmt.Errorf("find key %s: %w", n.Label, err)
		}
		found = append(found, some)
	}
	none := func(some []pkcs11.ObjectHandle) bool { return len(some) == 0 }
	other := func(some []pkcs11.ObjectHandle) bool { return len(some) != 1 || some[0] != found[0][0] }
	switch {
	case !slices.ContainsFunc(found, func(some []pkcs11.ObjectHandle) bool { return !none(some) }):
		return 0, fmt.Errorf("find key %s: %w", n.Label, provider.ErrNoKey)
	case len(found[0]) != 1 || slices.ContainsFunc(found, other):
		return 0, fmt.Errorf("find key %s: %w", n.Label, provider.ErrAmbiguous)
	}
	return found[0][0], nil
}

// born refuses a key that was not made on the token, or that may have been
// outside it (PKCS#11 v2.40, 4.8: CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE),
// and one of which the token says that it can do more than it was made for.
func born(label string, attributes map[string]string) error {
	for _, t := range readBack {
		if v := attributes[t.name]; v != t.want && (v != unknown || !t.passable) {
			return fmt.Errorf("key %s: %s is %s, want %s", label, t.name, v, t.want)
		}
	}
	return nil
}

var ourForm = regexp.MustCompile(`^kek-[0-9a-f]{8}-v[0-9]+$`)

// Ours implements provider.Provider.
func (p *Provider) Ours(context.Context) ([]string, error) {
	all, err := p.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY))
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var labels []string
	for _, h := range all {
		label, err := p.call.attribute(p.h, h, pkcs11.CKA_LABEL)
		if err != nil && !is(err, pkcs11.CKR_BUFFER_TOO_SMALL) { // longer than any of ours
			return nil, fmt.Errorf("read label of object %d: %w", h, named(err))
		}
		if ourForm.Match(label) {
			labels = append(labels, printable.Text(string(label)))
		}
	}
	slices.Sort(labels)
	return labels, nil
}

// handle returns the key's handle, looking it up once.
func (p *Provider) handle(ctx context.Context, n kek.Name) (pkcs11.ObjectHandle, error) {
	if h, ok := p.handles[n.Version]; ok {
		return h, nil
	}
	if _, err := p.Find(ctx, n); err != nil {
		return 0, err
	}
	return p.handles[n.Version], nil
}
