package sqlite

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are how a name may be written without its letters: by one that may be any, in JSON and in JSON5, which SQLite
// reads too, with a line feed between two, and with letters as in shortest, which SQLite takes for what they mean in a
// name with an escape.
var escapes = []string{`\u`, `\x`, `\0`, "\\\n", "\\\r", "\\\u2028", "\\\u2029"}

// mayName reports whether JSON may have one of some names in it. In a database that keeps its text as UTF-16, SQLite
// reads bytes as that.
func mayName(text []byte, names []string) bool {
	narrow := bytes.ReplaceAll(text, []byte{0}, nil)
	return slices.ContainsFunc(append(slices.Clip(names), escapes...), func(name string) bool {
		return bytes.Contains(text, []byte(name)) || bytes.Contains(narrow, []byte(name))
	})
}

// beginsObject reports whether text that cannot be read begins as an object or array of JSON does, or a comment of
// JSON5.
func beginsObject(text []byte) bool {
	for _, order := range []string{"\xff\xfe", "\xfe\xff"} { // of UTF-16
		text = bytes.TrimPrefix(text, []byte(order))
	}
	text = bytes.TrimLeftFunc(bytes.ReplaceAll(text, []byte{0}, nil), func(r rune) bool {
		return unicode.IsSpace(r) || r == '\ufeff'
	})
	return len(text) > 0 && strings.IndexByte("{[/", text[0]) >= 0
}

// nameOf is what SQLite compares of a name: it ends with a zero.
func nameOf(name string) string {
	name, _, _ = strings.Cut(name, "\x00")
	return name
}

// shortest is text with the letters of names as UTF-8 has them. SQLite decodes longer forms, which are no UTF-8, too.
func shortest(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	all := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, n := wide(text[i:])
		if r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			all = append(all, byte(r))
		} else {
			all = append(all, text[i:i+n]...)
		}
		i += n
	}
	return all
}

// wide decodes what text begins with as SQLite does (sqlite3Utf8ReadLimited).
func wide(text []byte) (r rune, n int) {
	r = rune(text[0])
	if r < 0xc0 {
		return r, 1
	}
	for bit := rune(0x80); bit > 0 && r&bit != 0; bit >>= 1 {
		r &^= bit
	}
	for n = 1; n < min(4, len(text)) && text[n]&0xc0 == 0x80; n++ {
		r = r<<6 | rune(text[n]&0x3f)
	}
	return r, n
}
