package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// attributeNames are the names of what a sequence sets, by its number.
var attributeNames = map[string]string{"1": "bold", "2": "faint", "7": "reverse", "31": "red", "32": "green",
	"33": "yellow", "36": "cyan"}

// attributeList lists what of a page is not plain: row, first and last column, attributes, text.
// Lines of the frame, which are faint, are left out.
func attributeList(page string) string {
	var b strings.Builder
	for row, line := range strings.Split(page, "\n") {
		column, style := 0, ""
		for line != "" {
			at := sequence.FindStringSubmatchIndex(line)
			text := line
			if at != nil {
				text = line[:at[0]]
			}
			width := ansi.StringWidth(text)
			if shown := strings.Trim(text, " ─│┌┐└┘├┤┬┴"); style != "" && (shown != "" || style != "faint") && text != "" {
				fmt.Fprintf(&b, "%2d %3d-%-3d %-12s %s\n", row+1, column+1, column+width, style, text)
			}
			column += width
			if at == nil {
				break
			}
			style, line = namesOf(line[at[2]:at[3]]), line[at[1]:]
		}
	}
	return b.String()
}

func namesOf(codes string) string {
	var names []string
	for code := range strings.SplitSeq(codes, ";") {
		if name := attributeNames[code]; name != "" {
			names = append(names, name)
		} else if code != "0" && code != "" {
			names = append(names, "code "+code)
		}
	}
	return strings.Join(names, " ")
}
