package tui

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// found is what a step has found or done so far.
func (b box) found(v engine.View, now time.Time) (lines []string) {
	for _, part := range [][]string{b.probe(v), b.details(v), b.rewrap(v, now), b.fleet(v)} {
		if len(part) > 0 {
			lines = append(append(lines, part...), "")
		}
	}
	if v.Waiting != "" {
		lines = append(lines, para(pending, " "+b.of(markNow)+" ", text.Waiting(v), b.page()-1)...)
	}
	if v.Remedy != "" {
		lines = append(lines, para(plain, " ", v.Remedy, b.page()-1)...)
	}
	return lines
}

func (b box) details(v engine.View) []string {
	var lines []string
	for _, d := range v.Details {
		head, value := text.DetailOf(v.Details, d)
		lines = append(lines, para(plain, past.Render(" "+head), value, b.page()-1)...)
	}
	return lines
}
