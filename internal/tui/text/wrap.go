package text

import (
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Wrap breaks what is still too long, so that nothing is cut at any width. What
// follows is indented as its line is. Each line that it returns is one row: an error
// may come as several.
func Wrap(lines []string, width int) []string {
	var out []string
	for _, line := range lines {
		for i, row := range strings.Split(line, "\n") {
			if i > 0 {
				row = indentOf(line) + row
			}
			out = append(out, styled(wrapRow(row, width))...)
		}
	}
	return out
}

// sgr sets the style of what follows it.
var sgr = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// styled has each row of a text set its own style: beside it stands what has another.
func styled(rows []string) []string {
	style := ""
	for i, row := range rows {
		rows[i] = style + row
		for _, set := range sgr.FindAllStringSubmatch(row, -1) {
			if style += set[0]; set[1] == "" || set[1] == "0" {
				style = ""
			}
		}
		if style != "" {
			rows[i] += "\x1b[0m"
		}
	}
	return rows
}

func wrapRow(row string, width int) (out []string) {
	if ansi.StringWidth(row) <= width {
		return []string{row}
	}
	indent := indentOf(row)
	word := strings.TrimLeft(ansi.Strip(row), " ")
	switch room := width - ansi.StringWidth(word); {
	case strings.Contains(word, " "):
	case room >= 0:
		return []string{strings.Replace(row, indent, indent[:room], 1)} // a path is copied whole
	default:
		return strings.Split(ansi.Hardwrap(strings.Replace(row, indent, "", 1), width, true), "\n")
	}
	if len(indent) > width/2 {
		indent = ""
	}
	for i, part := range Rows(row, width-1-len(indent)) {
		if i > 0 {
			part = indent + part
		}
		out = append(out, part)
	}
	return out
}

// Rows breaks a text between words, and a word that has no room in a row where the row
// ends. It never breaks at a hyphen: paths, dates and commands are copied from the screen.
func Rows(text string, width int) []string {
	const hyphen, unbroken = "-", "\u2011" // as wide, and no place to break at
	whole := ansi.Wrap(strings.ReplaceAll(text, hyphen, unbroken), width, "")
	return strings.Split(strings.ReplaceAll(whole, unbroken, hyphen), "\n")
}

// ASCII has a question mark for each column of a character that is not ASCII.
func ASCII(page string) string {
	var b strings.Builder
	for _, r := range page {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Repeat("?", ansi.StringWidth(string(r))))
		}
	}
	return b.String()
}

// indentOf is the blanks that a line begins with.
func indentOf(line string) string {
	plain := ansi.Strip(line)
	return plain[:len(plain)-len(strings.TrimLeft(plain, " "))]
}
