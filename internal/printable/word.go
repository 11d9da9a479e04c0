package printable

import (
	"regexp"
	"strings"
)

// Word is one word of a command that people copy, as a shell takes it.
func Word(s string) string {
	if !plainWord.MatchString(s) {
		s = "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return Line(s)
}

// plainWord is a word that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
