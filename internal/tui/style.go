package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
)

// Colour only repeats what the text says: every page reads the same without it.
var (
	accent = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("6")) // act here
	alarm  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("1")) // refused
	past   = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)
)

// count writes a number with thousands separators.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// groups writes a digest in groups of four, for people who compare it.
func groups(digest string, width int) []string {
	per := 8
	if width < 60 {
		per = 4
	}
	var lines []string
	var line []string
	for i := 0; i+4 <= len(digest); i += 4 {
		line = append(line, digest[i:i+4])
		if len(line) == per {
			lines, line = append(lines, strings.Join(line, " ")), nil
		}
	}
	if len(line) > 0 {
		lines = append(lines, strings.Join(line, " "))
	}
	return lines
}

// span writes minutes and seconds.
func span(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
