package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/provider"
)

// AdoptedKey names a key that was made outside a ceremony: by its label, its CKA_ID, or both.
type AdoptedKey struct {
	Label string `yaml:"label"`
	ID    string `yaml:"id"` // hex
}

// keysOutside is the fact with all of them.
const keysOutside = "keys_outside"

func (k AdoptedKey) check() error {
	if k.Label == "" && k.ID == "" {
		return errors.New("want label, id, or both")
	}
	if _, err := hex.DecodeString(k.ID); err != nil {
		return fmt.Errorf("id %s: want hex", printable.Quote(k.ID))
	}
	return nil
}

func (c Config) checkAdopted() error {
	for version, k := range c.Adopted {
		_, err := kek.ParseVersion(version)
		if err == nil {
			err = k.check()
		}
		if err != nil {
			return fmt.Errorf("encryption."+Name+".adopted_keys: %s: %w", printable.Quote(version), err)
		}
	}
	return nil
}

// adopted lists the configured keys, for every plan; empty: none.
func (c Config) adopted() string {
	var all []string
	for _, version := range slices.SortedFunc(maps.Keys(c.Adopted), byNumber) {
		k := c.Adopted[version]
		all = append(all, fmt.Sprintf("%s label %s id %s", version, printable.Quote(k.Label), printable.Quote(k.ID)))
	}
	return strings.Join(all, ", ")
}

func byNumber(a, b string) int { return numberOf(a) - numberOf(b) }

func numberOf(s string) int {
	v, _ := kek.ParseVersion(s)
	return int(v)
}

// wanted are the attributes that the key of a name has, each of which leads to it alone.
func (c Config) wanted(n kek.Name) []*pkcs11.Attribute {
	k, isAdopted := c.Adopted[n.Version.String()]
	if !isAdopted {
		return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, n.Label),
			pkcs11.NewAttribute(pkcs11.CKA_ID, n.ID)}
	}
	var all []*pkcs11.Attribute
	if k.Label != "" {
		all = append(all, pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.Label))
	}
	if id, err := hex.DecodeString(k.ID); err == nil && len(id) > 0 {
		all = append(all, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	return all
}

// addName adds to the attributes of an adopted key its label and its CKA_ID.
func (p *Provider) addName(h pkcs11.ObjectHandle, attributes map[string]string) error {
	label, err := p.call.attribute(p.h, h, pkcs11.CKA_LABEL)
	if err != nil {
		return err
	}
	id, err := p.call.attribute(p.h, h, pkcs11.CKA_ID)
	if err != nil {
		return err
	}
	attributes[provider.KeyLabel], attributes[provider.KeyID] = printable.Text(string(label)), hex.EncodeToString(id)
	return nil
}
