package tui

import (
	"fmt"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// probe shows the verdicts line by line.
func probe(v engine.View, width int) []string {
	marks := map[engine.Outcome]string{engine.Trying: "[>>]", engine.Passed: "[ok]", engine.Failed: "[NO]"}
	styles := map[engine.Outcome]lipgloss.Style{engine.Trying: accent, engine.Passed: lipgloss.NewStyle(),
		engine.Failed: alarm}
	var lines []string
	for _, p := range v.Probe {
		head := fmt.Sprintf("   %s  %-12s ", marks[p.Outcome], p.Line)
		lines = append(lines, para(styles[p.Outcome], head, p.Detail, width)...)
	}
	return lines
}
