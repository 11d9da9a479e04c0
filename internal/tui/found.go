package tui

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// found is what a step has found or done so far.
func found(v engine.View, width int, now time.Time) (lines []string) {
	for _, part := range [][]string{details(v, width-1), probe(v, width-1), progress(v, width, now), fleetTable(v)} {
		if len(part) > 0 {
			lines = append(append(lines, part...), "")
		}
	}
	if v.Waiting != "" {
		lines = append(lines, accent.Render(" waiting: "+v.Waiting))
	}
	return lines
}

func details(v engine.View, width int) []string {
	var lines []string
	for _, d := range v.Details {
		head, value := text.Detail(d.Name, d.Value)
		lines = append(lines, para(past, " "+head, value, width)...)
	}
	return lines
}
