package envelope

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Catalogue lists every place that may have an envelope, sorted, each once.
type Catalogue []Place

// DefaultCatalogue is what the applications are known to keep (design section 4).
func DefaultCatalogue() Catalogue {
	return Catalogue{
		At("acme_accounts", "encrypted_private_key"),
		At("certificate_private_keys", "encrypted_key"),
		At("dns_credentials", "encrypted_api_key"),
		At("module_credentials", "encrypted_value"),
		At("msca_connections", "encrypted_credentials"),
		At("notification_channels", "encrypted_config"),
	}
}

// With returns c and more as one catalogue. Of two places of one name, the later one counts.
func (c Catalogue) With(more ...Place) Catalogue {
	named := map[string]Place{}
	for _, p := range slices.Concat(c, more) {
		named[p.String()] = p
	}
	all := make(Catalogue, 0, len(named))
	for _, p := range named {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Place) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// Check refuses places of one collection that disagree about the record's outer version, or have
// it in an envelope, whose own one would be written at the same time.
func (c Catalogue) Check() error {
	for _, p := range c {
		for _, q := range c {
			if p.Collection == q.Collection && p.Outer != q.Outer {
				return fmt.Errorf("places %q and %q: a record has one outer version, want the same outer", p, q)
			}
			if p.Collection == q.Collection && strings.HasPrefix(p.Outer, q.Path+".") {
				return fmt.Errorf("place %q: outer %q is in the envelope of %q, want one of the record, or none", p, p.Outer, q)
			}
		}
	}
	return c.unique()
}

// Collection is one collection, and the places of it.
type Collection struct {
	Name   string
	Outer  string // path of a record's outer version; empty: it has none
	Places []Place
	// Payloads has nonce and ciphertext of the envelopes read too.
	Payloads bool
}

// Collections groups the places by collection, in order.
func (c Catalogue) Collections() []Collection {
	var out []Collection
	for _, p := range c {
		i := slices.IndexFunc(out, func(c Collection) bool { return c.Name == p.Collection })
		if i < 0 {
			i, out = len(out), append(out, Collection{Name: p.Collection, Outer: p.Outer})
		}
		out[i].Places = append(out[i].Places, p)
	}
	return out
}

// Place is that of an envelope's path.
func (c Collection) Place(path string) (Place, bool) {
	i := slices.IndexFunc(c.Places, func(p Place) bool { return p.Path == PlaceOf(path) })
	if i < 0 {
		return Place{}, false
	}
	return c.Places[i], true
}

func (c Catalogue) String() string {
	names := make([]string, len(c))
	for i, p := range c {
		names[i] = p.Describe()
	}
	return strings.Join(names, " ")
}

// Strange calls found with the path of every envelope in a record at a place that c does not
// have: an object with a part wrapped_dek, or with those names for a wrapped DEK and its version
// that a place of c uses. The record itself may be one, whose path is empty, and so may an object
// at a place of another form, or one behind a name that its object has twice, of which a place has the
// first.
func (c Catalogue) Strange(collection string, record Tree, found func(path string)) {
	if c.Shaped(record) {
		found("")
	}
	at := map[int]int{} // envelopes, by place
	Objects(record, func(path string, object Tree) {
		known := func(p Place) bool {
			return p.Collection == collection && p.Path == path && p.names(object)
		}
		if !c.Shaped(object) {
			return
		}
		if i := slices.IndexFunc(c, known); i >= 0 {
			at[i]++
		} else {
			found(path)
		}
	})
	for i, n := range at {
		if n > c[i].reached(record) {
			found(strconv.Quote(c[i].Path))
		}
	}
}

// names reports whether an object has the name of a wrapped DEK.
func (p Place) names(object Tree) bool {
	_, dek := object.Field(p.Parts.WrappedDEK)
	return dek
}

// reached is how many envelopes of a record a re-wrap comes to.
func (p Place) reached(record Tree) (n int) {
	spots, _ := p.Spots(record)
	for _, s := range spots {
		if s.Value != nil && !s.List && p.names(s.Value) {
			n++
		}
	}
	return n
}

// Shaped reports whether an object looks like an envelope of any form that c knows.
func (c Catalogue) Shaped(object Tree) bool {
	has := func(name string) bool { _, ok := object.Field(name); return ok }
	standard := Standard().Parts.WrappedDEK
	return has(standard) || slices.ContainsFunc(c, func(p Place) bool {
		return p.Parts.WrappedDEK != standard && has(p.Parts.WrappedDEK) && has(p.Parts.KEKVersion)
	})
}

// Shapes are the names of a wrapped DEK of which every envelope that Strange finds has one.
func (c Catalogue) Shapes() []string {
	names := []string{Standard().Parts.WrappedDEK}
	for _, p := range c {
		if !slices.Contains(names, p.Parts.WrappedDEK) {
			names = append(names, p.Parts.WrappedDEK)
		}
	}
	return names
}
