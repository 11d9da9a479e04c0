package tui

import (
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// Color only repeats what the text says: every page reads the same without it. Each style is a
// role, which the terminal's abilities and its background turn into a color.
var (
	accent  = lipgloss.NewStyle().Bold(true).Foreground(color("#0550ae", "25", "4", "#7cc7ff", "117", "6")) // act here
	alarm   = lipgloss.NewStyle().Bold(true).Foreground(color("#b42318", "124", "1", "#ff8a80", "210", "1"))
	good    = lipgloss.NewStyle().Foreground(color("#1a7f37", "28", "2", "#7ee787", "114", "2")) // done
	pending = lipgloss.NewStyle().Foreground(color("#8a5a00", "94", "3", "#e3b341", "179", "3")) // waits
	past    = lipgloss.NewStyle().Faint(true)
	strong  = lipgloss.NewStyle().Bold(true)
	plain   = lipgloss.NewStyle()
)

// color is one for a light and one for a dark background, each for terminals of 16 million, 256
// and 16 colors.
func color(light, light256, light16, dark, dark256, dark16 string) lipgloss.CompleteAdaptiveColor {
	return lipgloss.CompleteAdaptiveColor{
		Light: lipgloss.CompleteColor{TrueColor: light, ANSI256: light256, ANSI: light16},
		Dark:  lipgloss.CompleteColor{TrueColor: dark, ANSI256: dark256, ANSI: dark16},
	}
}

// dark reports whether a terminal's background is dark, by the variable COLORFGBG, "0;15" say. A
// terminal that sets none is taken for dark: it is never asked.
func dark(colorfgbg string) bool {
	parts := strings.Split(colorfgbg, ";")
	n, err := strconv.Atoi(parts[len(parts)-1])
	return err != nil || n != 7 && (n < 9 || n > 15)
}

// para sets a text in lines of one style: the first after head, the others
// below it.
func para(style lipgloss.Style, head, words string, width int) []string {
	indent := ansi.StringWidth(head)
	room := max(16, width-indent)
	var lines []string
	for _, line := range text.Rows(words, room-1) {
		lines = append(lines, head+style.Render(line))
		head = strings.Repeat(" ", indent)
	}
	return lines
}
