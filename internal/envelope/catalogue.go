package envelope

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Place is a field of a collection that holds an envelope.
type Place struct{ Collection, Field string }

func (p Place) String() string { return p.Collection + "." + p.Field }

// placeForm keeps names to what every store takes as an identifier unquoted.
var placeForm = regexp.MustCompile(`^([a-z][a-z0-9_]{0,62})\.([a-z][a-z0-9_]{0,62})$`)

// ParsePlace reads "collection.field".
func ParsePlace(s string) (Place, error) {
	m := placeForm.FindStringSubmatch(s)
	if m == nil {
		return Place{}, fmt.Errorf("place %q: want collection.field in lower-case letters, digits and _", s)
	}
	if strings.HasPrefix(m[1], "kek_") || m[1] == "process_heartbeats" {
		return Place{}, fmt.Errorf("place %q: the collection is the ceremony's own", s)
	}
	return Place{m[1], m[2]}, nil
}

// Catalogue lists every place that may hold an envelope, sorted, each once.
type Catalogue []Place

// DefaultCatalogue is what the applications are known to keep (design section 4).
func DefaultCatalogue() Catalogue {
	return Catalogue{
		{"acme_accounts", "encrypted_private_key"},
		{"certificate_private_keys", "encrypted_key"},
		{"dns_credentials", "encrypted_api_key"},
		{"module_credentials", "encrypted_value"},
		{"msca_connections", "encrypted_credentials"},
		{"notification_channels", "encrypted_config"},
	}
}

// With returns c and more as one catalogue.
func (c Catalogue) With(more ...Place) Catalogue {
	all := slices.Concat(c, more)
	slices.SortFunc(all, func(a, b Place) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// Collection is one collection and the fields of it that hold envelopes.
type Collection struct {
	Name   string
	Fields []string
}

// Collections groups the places by collection, in order.
func (c Catalogue) Collections() []Collection {
	var out []Collection
	for _, p := range c {
		if n := len(out); n > 0 && out[n-1].Name == p.Collection {
			out[n-1].Fields = append(out[n-1].Fields, p.Field)
			continue
		}
		out = append(out, Collection{p.Collection, []string{p.Field}})
	}
	return out
}

func (c Catalogue) String() string {
	names := make([]string, len(c))
	for i, p := range c {
		names[i] = p.String()
	}
	return strings.Join(names, " ")
}
