package exposure

import (
	"context"
	"math"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/store"
)

// Scanner reads the records of an application.
type Scanner interface {
	Scan(ctx context.Context, record func(collection string, record envelope.Tree) error) error
}

var _ Scanner = store.Store(nil)

// Of lists the envelopes of a catalogue that are at some versions. One whose version cannot be read
// is listed: it may be at any.
func Of(ctx context.Context, s Scanner, cat envelope.Catalogue, at map[kek.Version]bool) (List, error) {
	var l List
	err := each(ctx, s, cat, func(v kek.Version, payload digest) {
		if v == 0 || at[v] {
			l = append(l, payload)
		}
	})
	l.sort()
	return l, err
}

// Left counts the envelopes that are still those of a list.
func Left(ctx context.Context, s Scanner, cat envelope.Catalogue, l List) (n int, err error) {
	if len(l) == 0 {
		return 0, nil
	}
	err = each(ctx, s, cat, func(_ kek.Version, payload digest) {
		if l.has(payload) {
			n++
		}
	})
	return n, err
}

// each finds every envelope at a place of a catalogue.
func each(ctx context.Context, s Scanner, cat envelope.Catalogue, found func(kek.Version, digest)) error {
	places := map[string][]envelope.Place{}
	for _, p := range cat {
		places[p.Collection] = append(places[p.Collection], p)
	}
	return s.Scan(ctx, func(collection string, record envelope.Tree) error {
		for _, p := range places[collection] {
			spots, _ := p.Spots(record)
			for _, s := range spots {
				if s.Value == nil || s.List {
					continue
				}
				found(versionOf(s.Value, p.Parts.KEKVersion),
					digestOf(bytesOf(s.Value, p.Form, p.Parts.Nonce), bytesOf(s.Value, p.Form, p.Parts.Ciphertext)))
			}
		}
		return ctx.Err()
	})
}

// bytesOf is a part of an envelope; text that is none of its form as it stands there.
func bytesOf(object envelope.Tree, f envelope.Form, part string) []byte {
	v, ok := object.Field(part)
	if !ok {
		return nil
	}
	value := v.Value()
	if b, ok := f.Bytes.Decode(value); ok {
		return b
	}
	switch value := value.(type) {
	case string:
		return []byte(value)
	case []byte:
		return value
	}
	return nil
}

// versionOf is 0 for what is no version.
func versionOf(object envelope.Tree, part string) kek.Version {
	v, ok := object.Field(part)
	if !ok {
		return 0
	}
	n := 0.0
	switch value := v.Value().(type) {
	case int64:
		n = float64(value)
	case float64:
		n = value
	}
	if n < 1 || n > float64(kek.MaxVersion) || n != math.Trunc(n) {
		return 0
	}
	return kek.Version(n)
}
