package tui

import (
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// ending is the last page: what was done, the digest to write down, and how to
// check it with and without this program.
func (b box) ending(v engine.View) []string {
	e := v.Ending
	var lines []string
	for _, s := range text.Says(e) {
		lines = append(lines, para(plain, " ", s, b.page()-1)...)
	}
	lines = append(lines, "")
	if e.Digest == "" {
		return append(lines, b.commands(e)...)
	}
	for i, g := range text.Groups(e.Digest, b.page()) {
		label := " Final digest  "
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		lines = append(lines, label+strong.Render(g))
	}
	lines = append(lines, accent.Render(" "+text.WriteDown), "")
	return append(lines, b.commands(e)...)
}

// commands are where the transcript is, and what checks it.
func (b box) commands(e *engine.Ending) (lines []string) {
	for _, line := range append(text.Bundle(e, b.page()-2), text.Commands(e, b.page()-2)...) {
		lines = append(lines, " "+line)
	}
	return lines
}

// farewell stays on the terminal when the screen is gone.
func (m *model) farewell() string {
	e := m.view.Ending
	if e == nil {
		return ""
	}
	return strings.Join(append(e.Lines(), text.Commands(e, m.width-1)...), "\n") + "\n"
}
