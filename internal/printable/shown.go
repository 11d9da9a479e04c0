package printable

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shown is a text that Text made, as people read it: letters of scripts that are written from
// left to right without marks, and a few signs, are themselves again where they stand escaped.
// Everything that could move, hide or reorder what is on the screen stays escaped. So does a
// word that mixes scripts which no language mixes, and, beside a word in Latin letters, one of
// which every letter could be taken for a Latin one (Unicode Technical Standard 39). It decodes
// once: an escaped backslash stays one.
func Shown(s string) string {
	line := Line(s)
	if !strings.Contains(line, `\u{`) {
		return line
	}
	var pieces []piece
	beside := false // a Latin word
	for _, text := range characters.FindAllString(line, -1) {
		p := piece{text, runeOf(text)}
		pieces = append(pieces, p)
		beside = beside || scriptOf(p.r) == latin
	}
	var b strings.Builder
	for i := 0; i < len(pieces); {
		n := wordLength(pieces[i:])
		b.WriteString(word(pieces[i:i+n], beside))
		i += n
	}
	return b.String()
}

// Typed is what somebody typed, as people read it: what Shown makes of it on the wire, however
// long it is.
func Typed(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(escape(r, s[i], n))
		i += n
	}
	return Shown(b.String())
}

// Proposal is what somebody typed that Text wrote down, to be offered again: empty where it would not
// be written down as it was.
func Proposal(s string) string {
	if shown := Shown(s); Text(shown) == s {
		return shown
	}
	return ""
}

// piece is a character as it stands on the wire, and what it means.
type piece struct {
	text string
	r    rune
}

// escaped is a rune as Text writes it.
var escaped = regexp.MustCompile(`^\\u\{([0-9a-f]{1,6})\}$`)

func runeOf(text string) rune {
	m := escaped.FindStringSubmatch(text)
	if m == nil {
		return []rune(text)[0]
	}
	n, err := strconv.ParseInt(m[1], 16, 32)
	if err != nil {
		return unicode.ReplacementChar
	}
	return rune(n)
}

// wordLength is how many letters stand together at the beginning, or 1.
func wordLength(pieces []piece) int {
	n := 0
	for n < len(pieces) && unicode.IsLetter(pieces[n].r) {
		n++
	}
	return max(n, 1)
}

// word is a word as people read it, or as it is on the wire.
func word(pieces []piece, beside bool) string {
	var scripts script
	distinct := false // a letter that no Latin one looks like
	for _, p := range pieces {
		scripts |= scriptOf(p.r)
		distinct = distinct || !strings.ContainsRune(alike, p.r)
	}
	mixed := scripts&^(latin|han|kana) != 0 && scripts&^(latin|han|hangul) != 0 && scripts != greek && scripts != cyrillic
	if scripts&(greek|cyrillic) != 0 && beside && !distinct {
		mixed = true
	}
	var b strings.Builder
	for _, p := range pieces {
		switch {
		case strings.ContainsRune(signs, p.r), p.r > 0xa0 && p.r <= 0xff && p.r != 0xad && !unicode.IsLetter(p.r),
			scriptOf(p.r) == latin, !mixed && scriptOf(p.r) != unknown && unicode.IsLetter(p.r):
			b.WriteRune(p.r)
		default:
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// signs are punctuation and symbols that are what they look like.
const signs = "–—‘’“”„…€№、。・「」『』〜"

// alike are letters of Greek and Cyrillic that could be taken for a Latin letter or a digit.
const alike = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγηικνορτυχω" +
	"АБВЕЗІЈКМНОПРСТУХЅЬабвгезијкмнопрстухѕіьԁһӏҮү"

// script is one that is shown, as a bit.
type script int

const (
	latin script = 1 << iota
	greek
	cyrillic
	han
	kana
	hangul
	unknown
)

// scriptOf is the script of a letter that is shown; 0 of what is no letter.
func scriptOf(r rune) script {
	switch {
	case r <= '~' && unicode.IsLetter(r), r >= 0xc0 && r <= 0x17e && unicode.IsLetter(r) && r != 0x138 && r != 0x149,
		r >= 0x218 && r <= 0x21b, r >= 0x1ea0 && r <= 0x1ef9: // with Romanian and Vietnamese
		return latin
	case !unicode.IsLetter(r):
		return 0
	case r >= 0x386 && r <= 0x3ff, r >= 0x1f00 && r <= 0x1fff:
		return greek
	case r >= 0x400 && r <= 0x4ff:
		return cyrillic
	case r >= 0x4e00 && r <= 0x9fff, r == 0x3005:
		return han
	case r >= 0x3041 && r <= 0x3096, r >= 0x30a1 && r <= 0x30fa, r == 0x30fc:
		return kana
	case r >= 0xac00 && r <= 0xd7a3:
		return hangul
	}
	return unknown
}
