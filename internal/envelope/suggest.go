package envelope

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Survey finds what looks like envelopes, wherever and in whatever form.
type Survey struct{ found map[string]*Suggestion }

// Suggestion is a place that a catalogue would need.
type Suggestion struct {
	Place
	N       int      // envelopes
	Example string   // the shape of the first one, without a value
	Unclear []string // why the place may not be as it says; empty: it is

	withOuter int // of them, whose record has an outer version
}

// Look looks through a record. An envelope is an object with a wrapped DEK of 60 or 64 bytes (12 or
// 16 of IV), or of 48 with an IV beside it, and a version; and with a nonce and a ciphertext,
// unless its parts have their standard names.
func (s *Survey) Look(collection string, record Tree) {
	_, hasOuter := record.Field(Standard().Outer)
	Objects(record, func(path string, object Tree) {
		form, example, ok := guess(object)
		if !ok {
			return
		}
		p := Place{Collection: collection, Path: path, Form: form}
		at, known := s.found[p.String()]
		if !known {
			at = &Suggestion{Place: p, Example: example}
			if s.found == nil {
				s.found = map[string]*Suggestion{}
			}
			s.found[p.String()] = at
		}
		at.N++
		if hasOuter {
			at.withOuter++
		}
		if at.Form != form {
			at.unclear("another one there has the shape {" + example + "}")
		}
	})
}

func (s *Suggestion) unclear(why string) {
	if len(s.Unclear) < 3 && !slices.Contains(s.Unclear, why) {
		s.Unclear = append(s.Unclear, why)
	}
}

// Suggestions are the places found, by name.
func (s *Survey) Suggestions() (all []Suggestion) {
	for _, name := range slices.Sorted(maps.Keys(s.found)) {
		at := *s.found[name]
		if s.shorter(at.Place) {
			continue
		}
		if at.withOuter == 0 {
			at.Outer = ""
		}
		if err := at.Check(); err != nil {
			at.unclear(err.Error())
		}
		all = append(all, at)
	}
	return all
}

// shorter reports whether a place is columns of another one with a longer path: f_dek is the dek
// of f as well as the key_dek of what begins alike.
func (s *Survey) shorter(p Place) bool {
	for _, other := range s.found {
		if other.Collection == p.Collection && strings.HasPrefix(other.Path, p.Path+"_") &&
			other.Path+"_"+other.Parts.WrappedDEK == p.Path+"_"+p.Parts.WrappedDEK {
			return true
		}
	}
	return false
}

// candidate is a value of an object that may be a part of an envelope.
type candidate struct {
	name     string
	bytes    int // how many; -1: it is none
	encoding Encoding
	version  bool
}

// is reports whether a name has one of some words in it.
func (c candidate) is(words ...string) bool {
	name := strings.ToLower(c.name)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// guess is the form of what looks like an envelope, and its shape.
func guess(object Tree) (f Form, shape string, ok bool) {
	fields, isObject := object.Fields()
	if !isObject {
		return f, "", false
	}
	var all []candidate
	var shapes []string
	for name, v := range fields {
		c, kind := look(name, v)
		all, shapes = append(all, c), append(shapes, name+": "+kind)
	}
	shape = strings.Join(shapes, ", ")
	f = Standard()
	wrapped, ok := best(all, func(c candidate) bool { return c.bytes == 60 || c.bytes == 64 }, "dek", "wrap")
	if apart, iv, found := ivBeside(all); found && (!ok || apart.is("dek", "wrap") && !wrapped.is("dek", "wrap")) {
		wrapped, ok = apart, true
		f.Parts.IV = iv.name
	}
	version, hasVersion := best(all, func(c candidate) bool { return c.version }, "kek", "kv", "version")
	if !ok || !hasVersion {
		return f, shape, false
	}
	f.Bytes, f.Parts.WrappedDEK, f.Parts.KEKVersion = wrapped.encoding, wrapped.name, version.name
	return f.payload(all, shape)
}

// payload adds the parts that a ceremony does not read.
func (f Form) payload(all []candidate, shape string) (Form, string, bool) {
	used := []string{f.Parts.WrappedDEK, f.Parts.IV}
	left := func(least, most int) func(candidate) bool {
		return func(c candidate) bool {
			return c.bytes >= least && c.bytes <= most && !slices.Contains(used, c.name) && c.encoding == f.Bytes
		}
	}
	nonce, hasNonce := best(all, left(12, 16), "nonce", "iv", "n")
	used = append(used, nonce.name)
	text, hasText := best(all, left(16, math.MaxInt), "ciphertext", "ct", "payload", "data")
	if hasNonce {
		f.Parts.Nonce = nonce.name
	}
	if hasText {
		f.Parts.Ciphertext = text.name
	}
	if provider, ok := best(all, func(c candidate) bool { return c.bytes < 0 && !c.version }, "provider", "by"); ok {
		f.Parts.Provider = provider.name
	}
	s := Standard().Parts
	return f, shape, hasNonce && hasText || f.Parts.WrappedDEK == s.WrappedDEK && f.Parts.KEKVersion == s.KEKVersion
}

// ivBeside finds a wrapped DEK of 48 bytes and its IV.
func ivBeside(all []candidate) (wrapped, iv candidate, ok bool) {
	wrapped, ok = best(all, func(c candidate) bool { return c.bytes == sealed }, "dek", "wrap")
	if !ok {
		return wrapped, iv, false
	}
	iv, ok = best(all, func(c candidate) bool {
		return (c.bytes == 12 || c.bytes == 16) && c.encoding == wrapped.encoding && c.is("iv")
	}, "dek", "wrap")
	return wrapped, iv, ok
}

// best is the first of those that fit whose name has one of some words in it, or the first.
func best(all []candidate, fits func(candidate) bool, words ...string) (candidate, bool) {
	var fitting []candidate
	for _, c := range all {
		if fits(c) {
			fitting = append(fitting, c)
		}
	}
	if len(fitting) == 0 {
		return candidate{}, false
	}
	if i := slices.IndexFunc(fitting, func(c candidate) bool { return c.is(words...) }); i >= 0 {
		return fitting[i], true
	}
	return fitting[0], true
}

// look is what a value may be, and in words.
func look(name string, v Tree) (candidate, string) {
	c := candidate{name: name, bytes: -1}
	switch value := v.Value().(type) {
	case []byte:
		c.bytes, c.encoding = len(value), Binary
		return c, fmt.Sprintf("%d bytes", c.bytes)
	case string:
		return lookText(c, value)
	case int64:
		c.version = value >= 1 && value <= int64(kek.MaxVersion)
		return c, "number"
	case float64:
		c.version = value >= 1 && value <= float64(kek.MaxVersion) && value == float64(int64(value))
		return c, "number"
	}
	if _, ok := v.Fields(); ok {
		return c, "object"
	}
	if _, ok := v.Elements(); ok {
		return c, "array"
	}
	return c, "another value"
}

func lookText(c candidate, text string) (candidate, string) {
	const shortest = 12 // of a nonce
	if b, err := hex.DecodeString(text); err == nil && len(b) >= shortest {
		c.bytes, c.encoding = len(b), Hex
		return c, fmt.Sprintf("hex of %d bytes", c.bytes)
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) >= shortest {
		c.bytes, c.encoding = len(b), Base64
		return c, fmt.Sprintf("base64 of %d bytes", c.bytes)
	}
	return c, "text"
}
