package printable

// Width is how many columns of a terminal a text takes that Shown made: a letter of Han, Kana or
// Hangul, and a sign of theirs, takes two.
func Width(s string) (n int) {
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// Fit is how many bytes of a text take at most so many columns, and at least one character.
func Fit(s string, width int) int {
	n := 0
	for i, r := range s {
		if n += columns(r); n > width && i > 0 {
			return i
		}
	}
	return len(s)
}

func columns(r rune) int {
	if r >= 0x2e80 && r <= 0xd7a3 || r >= 0xff01 && r <= 0xff60 {
		return 2
	}
	return 1
}
