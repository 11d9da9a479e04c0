package tui

import (
	"fmt"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// probe shows the verdicts line by line.
func (b box) probe(v engine.View) (lines []string) {
	for _, p := range v.Probe {
		k := map[engine.Outcome]mark{engine.Trying: markNow, engine.Passed: markDone, engine.Failed: markBad}[p.Outcome]
		style := map[engine.Outcome]lipgloss.Style{engine.Trying: accent, engine.Failed: alarm}[p.Outcome]
		rows := para(style, fmt.Sprintf("%-13s", p.Line), p.Detail, b.page()-5-len(b.todo))
		for i, row := range rows {
			head := " " + b.of(k) + "  "
			if i > 0 {
				head = fmt.Sprintf("%*s", len(" "+b.todo+"  "), "")
			}
			lines = append(lines, head+row)
		}
	}
	return lines
}
