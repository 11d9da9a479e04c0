package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/binding"
	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// record is what a query reads of a row: id, outer version, and what selected names.
type record struct {
	id      any
	version kek.Version
	places  []part
}

// part is what a row has at one place.
type part struct {
	*located
	version kek.Version // of its own column
	read    []any       // the columns that a swap compares
	payload []any       // those of the payload, if they are read
}

// selected are the columns of a record, for a reader. A + takes the declared type off a column,
// which the driver would convert a value to.
func selected(outerPath string, places []located) string {
	columns := []string{"+id", outer(outerPath)}
	for _, l := range places {
		if l.json == "" {
			columns = append(columns, l.version())
		}
		for _, c := range append(l.read(), l.payload()...) {
			columns = append(columns, "+"+c)
		}
	}
	return strings.Join(columns, ", ")
}

// document is a record as the re-wrap sees it. Its envelopes are put into room.
func (r record) document(room []store.Held) store.Document {
	d := store.Document{ID: r.id, Read: r.places, Version: r.version, Envelopes: room}
	d.Bound, _ = binding.IDOf(r.id) // none of a number that is not whole
	for i := range r.places {
		d.Envelopes = r.places[i].held(d.Envelopes)
	}
	return d
}

// held adds the envelopes at one place of a record.
func (p *part) held(to []store.Held) []store.Held {
	if p.read[0] == nil {
		return to
	}
	if p.json != "" {
		return append(to, p.inJSON()...)
	}
	h := store.Held{Path: p.Path, Version: p.version}
	if b, ok := p.only(); ok {
		h.WrappedDEK = b[:len(b):len(b)]
	} else {
		h.WrappedDEK, _ = p.Read(p.values(p.read))
	}
	if p.payloads {
		p.readPayload(p.values(p.payload), &h)
	}
	return append(to, h)
}

// values are those of columns with bytes: bytes and text are the same in a column.
func (p part) values(read []any) []any {
	values := slices.Clone(read)
	for i, v := range values {
		values[i] = as(p.Bytes == envelope.Binary, v)
	}
	return values
}

// as is text as bytes, or bytes as text.
func as(asBytes bool, v any) any {
	switch v := v.(type) {
	case string:
		if asBytes {
			return []byte(v)
		}
	case []byte:
		if !asBytes {
			return string(v)
		}
	}
	return v
}

// inJSON are the envelopes in a column of JSON. One that cannot be read, and has the name of a
// part in it, may hide an envelope, and so may one with a name that is escaped.
func (p part) inJSON() (all []store.Held) {
	text, root, err := p.parse()
	if err != nil {
		if p.mayHide(text, root, err) {
			all = []store.Held{{Path: p.Path}}
		}
		return all
	}
	spots, _ := p.Spots(root)
	for _, s := range spots {
		if s.Value == nil {
			continue
		}
		h := store.Held{Path: s.Path, Keys: s.Keys}
		if !s.List {
			h.Version = envelope.VersionOf(valuesIn(s.Value, []string{p.Parts.KEKVersion})[0])
			h.WrappedDEK, _ = p.Read(valuesIn(s.Value, p.Wrapped()))
			if p.payloads {
				p.readPayload(valuesIn(s.Value, []string{p.Parts.Nonce, p.Parts.Ciphertext}), &h)
			}
		}
		all = append(all, h)
	}
	return all
}

// mayHide reports whether what cannot be read may have an envelope in it.
func (p part) mayHide(text []byte, read tree, err error) bool {
	named := func(v tree) bool { _, ok := v.Field(p.Parts.WrappedDEK); return ok }
	if errors.Is(err, errTwice) { // all was read
		return read.hides(named)
	}
	if _, isBytes := p.read[0].([]byte); isBytes {
		if v, ok, err := parseJSONB(text); ok {
			return err != nil || v.hides(named)
		}
	}
	name := []string{p.Parts.WrappedDEK}
	return bytes.Contains(text, []byte(name[0])) || beginsObject(text) && mayName(text, name)
}

// readPayload reads nonce and ciphertext.
func (p part) readPayload(values []any, into *store.Held) {
	into.Nonce, into.Ciphertext = p.Bytes.Stored(values[0]), p.Bytes.Stored(values[1])
}

// parse reads the column of JSON as a record of one field.
func (p part) parse() (text []byte, root tree, err error) {
	switch v := p.read[0].(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	}
	v, err := parse(text)
	root = object()
	root.add(p.json, v)
	return text, root, err
}

func valuesIn(object envelope.Tree, names []string) []any {
	values := make([]any, len(names))
	for i, name := range names {
		if v, ok := object.Field(name); ok {
			values[i] = v.Value()
		}
	}
	return values
}

// same demands that the bytes to be replaced are those that were read (promise 3).
func (p *part) same(old *store.Document) error {
	if b, ok := p.only(); ok {
		if !old.Has(store.Held{Path: p.Path, Version: p.version, WrappedDEK: b}) {
			return p.others(p.Path)
		}
		return nil
	}
	for _, h := range p.held(nil) {
		if !old.Has(h) {
			return p.others(h.Path)
		}
	}
	return nil
}

func (p *part) others(path string) error {
	return fmt.Errorf("%s: the bytes to replace are not those that were read", path)
}

// only is a wrapped DEK that is all of one column, as it was read.
func (p *part) only() ([]byte, bool) {
	b, ok := p.read[0].([]byte)
	return b, ok && p.json == "" && len(p.read) == 1 && p.Bytes == envelope.Binary
}
