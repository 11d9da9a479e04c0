package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// fleetTable shows each process, and what it lacks.
func fleetTable(v engine.View) []string {
	if v.Fleet == nil {
		return nil
	}
	t := v.Fleet
	lines := []string{" " + text.Fleet(*t)}
	if v.Progress != nil {
		return lines
	}
	for _, p := range t.Processes {
		lines = append(lines, "   "+processLine(p, *t))
	}
	if t.More {
		lines = append(lines, "   "+text.More)
	}
	return lines
}

func processLine(p engine.Process, t engine.Fleet) string {
	mark, says := text.Process(p, t)
	state := map[string]lipgloss.Style{text.Needed: alarm, text.Silent: accent}[mark].Render(mark) +
		strings.Repeat(" ", len(text.Needed)+2-len(mark)) + says
	line := fmt.Sprintf("%-36s %s, %s", p.Name, state, text.Ago(p.Age))
	if p.Trouble != "" {
		line += "  " + p.Trouble
	}
	return line
}
