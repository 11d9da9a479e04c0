package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// ending is the last page: what was done, the digest to write down, and how to
// check it with and without this program.
func ending(v engine.View, width int) []string {
	e := v.Ending
	var lines []string
	says := e.Summary
	if e.Digest != "" {
		says = append(says, "Final signatures: "+strings.Join(e.Signed, ", ")+".")
	}
	for _, s := range says {
		lines = append(lines, para(lipgloss.NewStyle(), " ", s, width-1)...)
	}
	lines = append(lines, "")
	if e.Digest == "" {
		return append(append(lines, " Transcript    "+e.Bundle), commands(e)...)
	}
	for i, g := range groups(e.Digest, width) {
		label := " Final digest  "
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		lines = append(lines, label+strong.Render(g))
	}
	lines = append(lines, accent.Render(" Write it down now, each on your own paper."), "",
		" Transcript    "+e.Bundle)
	return append(lines, commands(e)...)
}

// commands check a bundle, each by copying one line.
func commands(e *engine.Ending) []string {
	check := []string{" Check it      kekceremony transcript verify \\", "                 " + e.Bundle}
	if e.Digest == "" { // nobody signed
		return check
	}
	return append(check,
		" Stock tools   cd "+e.Bundle,
		fmt.Sprintf("               ssh-keygen -Y verify -f roster -I %s \\", e.Signer),
		fmt.Sprintf("                 -n %s \\", e.Space),
		fmt.Sprintf("                 -s final.%[1]s.txt.sig < final.%[1]s.txt", e.Signer),
		"               sha256sum final.txt",
	)
}

// farewell stays on the terminal when the screen is gone.
func (m *model) farewell() string {
	e := m.view.Ending
	if e == nil {
		return ""
	}
	return strings.Join(append(e.Lines(), commands(e)...), "\n") + "\n"
}
