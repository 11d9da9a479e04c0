package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// probe shows the verdicts line by line.
func (b box) probe(v engine.View) (lines []string) {
	for _, p := range v.Probe {
		k := map[engine.Outcome]mark{engine.Trying: markNow, engine.Passed: markDone, engine.Failed: markBad}[p.Outcome]
		style := map[engine.Outcome]lipgloss.Style{engine.Trying: accent, engine.Failed: alarm}[p.Outcome]
		if p.Needless() {
			k = markNone
		}
		head := " " + b.of(k) + "  "
		rows := para(style, fmt.Sprintf("%-13s", p.Line), p.Detail, b.page()-1-ansi.StringWidth(head))
		for i, row := range rows {
			if i > 0 {
				head = strings.Repeat(" ", ansi.StringWidth(head))
			}
			lines = append(lines, head+row)
		}
	}
	return lines
}
