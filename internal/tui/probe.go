package tui

import (
	"fmt"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// probe shows the verdicts line by line.
func probe(v engine.View, width int) []string {
	styles := map[engine.Outcome]lipgloss.Style{engine.Trying: accent, engine.Passed: lipgloss.NewStyle(),
		engine.Failed: alarm}
	var lines []string
	for _, p := range v.Probe {
		head := fmt.Sprintf("   %s  %-12s ", text.Marks[p.Outcome], p.Line)
		lines = append(lines, para(styles[p.Outcome], head, p.Detail, width)...)
	}
	return lines
}
