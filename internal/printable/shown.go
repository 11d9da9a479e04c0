package printable

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// escaped is a rune as Text writes it.
var escaped = regexp.MustCompile(`\\u\{([0-9a-f]{1,6})\}`)

// Shown is a text that Text made, as people read it: letters, digits and a few signs that
// stand escaped are themselves again. Everything that could move, hide or reorder what is on
// the screen stays escaped, and so does a letter that could be taken for one of another script
// in the same text (Unicode Technical Standard 39, single script). It decodes once: an escaped
// backslash stays one.
func Shown(s string) string {
	mixed := severalScripts(s)
	return escaped.ReplaceAllStringFunc(Line(s), func(piece string) string {
		r := runeOf(piece)
		switch {
		case unicode.IsLetter(r) && !lookalike(r) && (unicode.Is(unicode.Latin, r) || !mixed):
			return string(r)
		case r < 0x2000 && unicode.IsDigit(r) && !mixed, sign(r):
			return string(r)
		}
		return piece
	})
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

// lookalike reports a Latin letter that looks like one of ASCII: full width, or of mathematics.
func lookalike(r rune) bool {
	return unicode.Is(unicode.Latin, r) && (r >= 0x2c60 && r < 0xa720 || r >= 0xab30)
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
