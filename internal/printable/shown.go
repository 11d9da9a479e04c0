package printable

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// escaped is a rune as Text writes it.
var escaped = regexp.MustCompile(`\\u\{([0-9a-f]{1,6})\}`)

// Shown is a text that Text made, as people read it: letters of a few scripts that are written
// from left to right, and a few signs, are themselves again where they stand escaped.
// Everything that could move, hide or reorder what is on the screen stays escaped, and so does
// a letter that could be taken for one of another script in the same text (Unicode Technical
// Standard 39, single script). It decodes once: an escaped backslash stays one.
func Shown(s string) string {
	mixed := severalScripts(s)
	return escaped.ReplaceAllStringFunc(Line(s), func(piece string) string {
		r := runeOf(piece)
		if latin(r) || sign(r) || !mixed && unicode.IsLetter(r) && unicode.In(r, readable...) {
			return string(r)
		}
		return piece
	})
}

// readable are the scripts that are shown where a text has no other.
var readable = []*unicode.RangeTable{{R16: []unicode.Range16{
	{Lo: 0x0386, Hi: 0x03ff, Stride: 1}, // Greek
	{Lo: 0x0400, Hi: 0x04ff, Stride: 1}, // Cyrillic
	{Lo: 0x4e00, Hi: 0x9fff, Stride: 1}, // Han
	{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}, // Hangul syllables
}}}

// latin reports a letter of Latin-1 or Latin Extended-A that no letter of ASCII looks like.
func latin(r rune) bool {
	return r >= 0xc0 && r <= 0x17e && unicode.IsLetter(r) && !strings.ContainsRune("\u0131\u0138\u0149\u017f", r)
}

func runeOf(piece string) rune {
	n, err := strconv.ParseInt(piece[3:len(piece)-1], 16, 32)
	if err != nil {
		return unicode.ReplacementChar
	}
	return rune(n)
}

// sign reports punctuation and symbols that are what they look like.
func sign(r rune) bool {
	return r > 0xa0 && r <= 0xff && r != 0xad && !unicode.IsLetter(r) || strings.ContainsRune("–—‘’“”„…€№", r)
}

// severalScripts reports whether the letters of a text, escaped or not, are of more than one.
func severalScripts(s string) (mixed bool) {
	script := ""
	seen := func(r rune) {
		if !unicode.IsLetter(r) {
			return
		}
		for name, table := range unicode.Scripts {
			if unicode.Is(table, r) && name != script {
				mixed = mixed || script != ""
				script = name
			}
		}
	}
	for _, r := range escaped.ReplaceAllString(s, "") {
		seen(r)
	}
	for _, piece := range escaped.FindAllString(s, -1) {
		seen(runeOf(piece))
	}
	return mixed
}
