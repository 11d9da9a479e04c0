package envelope

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Field is a field of a collection that holds an envelope.
type Field struct{ Collection, Name string }

func (f Field) String() string { return f.Collection + "." + f.Name }

// fieldForm keeps names to what every store takes as an identifier unquoted.
var fieldForm = regexp.MustCompile(`^([a-z][a-z0-9_]{0,62})\.([a-z][a-z0-9_]{0,62})$`)

// ParseField reads "collection.field".
func ParseField(s string) (Field, error) {
	m := fieldForm.FindStringSubmatch(s)
	if m == nil {
		return Field{}, fmt.Errorf("field %q: want collection.field in lower-case letters, digits and _", s)
	}
	if strings.HasPrefix(m[1], "kek_") || m[1] == "process_heartbeats" {
		return Field{}, fmt.Errorf("field %q: the collection is the ceremony's own", s)
	}
	return Field{m[1], m[2]}, nil
}

// Catalogue lists every field that may hold an envelope, sorted, each once.
type Catalogue []Field

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
func (c Catalogue) With(more ...Field) Catalogue {
	all := slices.Concat(c, more)
	slices.SortFunc(all, func(a, b Field) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// Collection is one collection and the fields of it that hold envelopes.
type Collection struct {
	Name   string
	Fields []string
}

// Collections groups the fields by collection, in order.
func (c Catalogue) Collections() []Collection {
	var out []Collection
	for _, f := range c {
		if n := len(out); n > 0 && out[n-1].Name == f.Collection {
			out[n-1].Fields = append(out[n-1].Fields, f.Name)
			continue
		}
		out = append(out, Collection{f.Collection, []string{f.Name}})
	}
	return out
}

func (c Catalogue) String() string {
	names := make([]string, len(c))
	for i, f := range c {
		names[i] = f.String()
	}
	return strings.Join(names, " ")
}
