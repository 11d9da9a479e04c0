package sqlite

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// The kinds of an element of JSONB (sqlite.org/jsonb.html).
const (
	jsonbText  = 7
	jsonbTextJ = 8 // with escapes of JSON
	jsonbText5 = 9 // with those of JSON5
	jsonbRaw   = 10
	jsonbArray = 11
	jsonbObj   = 12
)

// parseJSONB reads an object or array of JSONB as SQLite's functions do, which look at no more than they need: one that
// is damaged up to where they go on. False: it is none.
func parseJSONB(b []byte) (v tree, ok bool, err error) {
	kind, body, rest, ok := element(b)
	if !ok || len(rest) > 0 || kind != jsonbArray && kind != jsonbObj {
		return tree{}, false, nil
	}
	v, err = valueOf(kind, body, 0)
	return v, true, err
}

// element is what JSONB begins with, and what follows.
func element(b []byte) (kind byte, body, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, nil, false
	}
	kind, head, size := b[0]&0x0f, 1, uint64(b[0]>>4)
	if size > 11 { // it stands in the 1, 2, 4 or 8 bytes that follow
		var digits [8]byte
		n := 1 << (size - 12)
		if head += n; len(b) < head {
			return 0, nil, nil, false
		}
		copy(digits[8-n:], b[1:])
		size = binary.BigEndian.Uint64(digits[:])
	}
	if b = b[head:]; size > uint64(len(b)) {
		return 0, nil, nil, false
	}
	return kind, b[:size], b[size:], true
}

func valueOf(kind byte, body []byte, depth int) (v tree, err error) {
	switch {
	case depth > maxDepth:
		return tree{}, errDeep
	case isText(kind):
		return tree{value: textOf(kind, body)}, nil
	case kind != jsonbArray && kind != jsonbObj:
		return tree{}, nil
	}
	v = tree{array: true}
	if kind == jsonbObj {
		v = object()
	}
	for len(body) > 0 && err == nil {
		var name string
		var each []byte
		var ok bool
		var child tree
		if v.object {
			if kind, each, body, ok = element(body); !ok || !isText(kind) {
				break
			}
			name = nameOf(textOf(kind, each))
		}
		if kind, each, body, ok = element(body); !ok {
			break
		}
		if child, err = valueOf(kind, each, depth+1); v.object {
			v.add(name, child)
		} else {
			v.elements = append(v.elements, child)
		}
	}
	return v, err
}

func isText(kind byte) bool { return jsonbText <= kind && kind <= jsonbRaw }

// textOf is text of JSONB without its escapes, as SQLite compares names.
func textOf(kind byte, b []byte) string {
	var all []byte
	for len(b) > 0 {
		r, n := wide(b)
		skip := false
		if b[0] == '\\' && (kind == jsonbTextJ || kind == jsonbText5) {
			r, n, skip = unescape(b)
		}
		if !skip {
			all = utf8.AppendRune(all, r)
		}
		b = b[n:]
	}
	return string(all)
}

// unescape reads what begins with \ as SQLite does, which checks no digits. skip: it is no letter.
func unescape(b []byte) (r rune, n int, skip bool) {
	for _, end := range []string{"\r\n", "\r", "\n", "\u2028", "\u2029"} {
		if bytes.HasPrefix(b[1:], []byte(end)) {
			return 0, 1 + len(end), true
		}
	}
	switch {
	case len(b) > 5 && b[1] == 'u':
		return digits(b[2:6]), 6, false
	case len(b) > 3 && b[1] == 'x':
		return digits(b[2:4]), 4, false
	case len(b) > 1 && b[1] == '0':
		return 0, 2, false
	case len(b) > 1 && b[1] < utf8.RuneSelf:
		return rune(b[1]), 2, false // of no letter of a name, but for what is no escape
	}
	return utf8.RuneError, 1, false
}

func digits(hex []byte) (r rune) {
	for _, h := range hex {
		r = r<<4 | rune((h+9*(h>>6&1))&0xf)
	}
	return r
}
