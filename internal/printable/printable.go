// Package printable makes foreign text safe to show. Anything that a token, a
// database, a file or a person supplied passes through Text before it reaches a
// screen, an error or a transcript.
package printable

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limit is the longest text that Text returns, in characters of the text. What is escaped
// counts as one.
const Limit = 240

// Text returns s on one line of printable ASCII. Every other rune, and the
// backslash, is written as \u{hex}; a byte that is not UTF-8 as \x{hex}. What
// does not fit in Limit is cut and marked with "...". It is an allow-list:
// stripping known escape sequences leaves control bytes and text swallowed by
// unterminated ones.
func Text(s string) string {
	var b strings.Builder
	cut := 0 // where Limit-3 characters end
	for i, taken := 0, 0; i < len(s); taken++ {
		if taken == Limit-3 {
			cut = b.Len()
		}
		if taken == Limit {
			return b.String()[:cut] + "..."
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(escape(r, s[i], n))
		i += n
	}
	return b.String()
}

func escape(r rune, first byte, n int) string {
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf(`\x{%02x}`, first)
	case r < ' ' || r > '~' || r == '\\':
		return fmt.Sprintf(`\u{%x}`, r)
	}
	return string(r)
}

// Lines is Text for what is of several lines and may be long: an error and what
// was joined to it. Line feeds stay, the length is not bounded, and what Text
// escaped before is not escaped again.
func Lines(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == '\n' || r == '\\' {
			b.WriteRune(r)
		} else {
			b.WriteString(escape(r, s[i], n))
		}
		i += n
	}
	return b.String()
}

// Line is Lines on one line, for what people and programs copy whole: a path.
func Line(s string) string { return strings.ReplaceAll(Lines(s), "\n", `\u{a}`) }

// Again is Text for what should have been through Text already, and comes from where
// that is not believed: what was escaped is not escaped again.
func Again(s string) string {
	s = Line(s)
	pieces := characters.FindAllString(s, Limit+1)
	if len(pieces) > Limit {
		return strings.Join(pieces[:Limit-3], "") + "..."
	}
	return s
}

// characters of what was escaped.
var characters = regexp.MustCompile(`\\[ux]\{[0-9a-f]{1,6}\}|.`)

// Quote is Text between double quotes, for error messages. A double quote in s
// is escaped as well.
func Quote(s string) string {
	return `"` + strings.ReplaceAll(Text(s), `"`, `\u{22}`) + `"`
}

// IsText reports whether s is already what Text would make of it.
func IsText(s string) bool { return Text(s) == s }
