package tui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// Colour only repeats what the text says: every page reads the same without it.
var (
	accent = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("6")) // act here
	alarm  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("1")) // refused
	past   = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)
)

// para sets a text in lines of one style: the first after head, the others
// below it.
func para(style lipgloss.Style, head, words string, width int) []string {
	room := max(16, width-len(head))
	var lines []string
	for _, line := range text.Rows(words, room-1) {
		lines = append(lines, head+style.Render(line))
		head = strings.Repeat(" ", len(head))
	}
	return lines
}
