package printable

import (
	"fmt"
	"strconv"
)

// Count writes a number for people, with its thousands apart. Files that programs read have none of that.
func Count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Counted is Count of a number that comes as text. What is no number stays as it is.
func Counted(s string) string {
	if n, err := strconv.Atoi(s); err == nil {
		return Count(n)
	}
	return s
}
