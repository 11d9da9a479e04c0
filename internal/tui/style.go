package tui

import (
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// Color only repeats what the text says: every page reads the same without it. Each style is a
// role, which the terminal's abilities and its background turn into a color: paint.
var (
	accent  = strong.Foreground(accents[darkGround]) // act here
	alarm   = strong.Foreground(alarms[darkGround])
	good    = plain.Foreground(goods[darkGround])    // done
	pending = plain.Foreground(pendings[darkGround]) // waits
	past    = plain.Faint(true)
	strong  = plain.Bold(true)
	plain   = lipgloss.NewStyle()
)

// ground is what is known of a terminal's background.
type ground int

const (
	darkGround ground = iota
	lightGround
	anyGround // nothing is known: its colors can be read on black and on white
)

// The colors of the roles by the background, each for terminals of 16 million, 256 and 16 colors. What the
// 16 look like is the terminal's own: of those that are not known to be dark, none is pale.
var (
	accents = [...]lipgloss.CompleteColor{
		colors("#7cc7ff", "117", "6"), colors("#0550ae", "25", "4"),
		colors("#0077d6", "30", "5"),
	}
	alarms = [...]lipgloss.CompleteColor{
		colors("#ff8a80", "210", "1"), colors("#b42318", "124", "1"),
		colors("#d9453d", "160", "1"),
	}
	goods = [...]lipgloss.CompleteColor{
		colors("#7ee787", "114", "2"), colors("#1a7f37", "28", "2"),
		colors("#1f8a3d", "28", "2"),
	}
	pendings = [...]lipgloss.CompleteColor{
		colors("#e3b341", "179", "3"), colors("#8a5a00", "94", "3"),
		colors("#a36a00", "130", "3"),
	}
)

func colors(million, of256, of16 string) lipgloss.CompleteColor {
	return lipgloss.CompleteColor{TrueColor: million, ANSI256: of256, ANSI: of16}
}

// paint fits the colors to a background.
func paint(g ground) {
	accent, alarm = strong.Foreground(accents[g]), strong.Foreground(alarms[g])
	good, pending = plain.Foreground(goods[g]), plain.Foreground(pendings[g])
}

// groundOf is what a terminal says of its background: in the variable COLORFGBG, "0;15" say, or by its kind,
// as the Linux console is dark. It is never asked: one that does not answer would have people wait, and an
// answer that comes late would be read as keys.
func groundOf(env func(string) string) ground {
	parts := strings.Split(env("COLORFGBG"), ";")
	n, err := strconv.Atoi(parts[len(parts)-1])
	switch {
	case err != nil && env("TERM") == "linux":
		return darkGround
	case err != nil:
		return anyGround
	case n == 7 || n >= 9 && n <= 15:
		return lightGround
	}
	return darkGround
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
