package tui

import (
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/steps"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// plannedMinutes are what stands beside a title.
var plannedMinutes = regexp.MustCompile(` (now|[0-9]+ min|14:05) `)

// TestTitlesFit: the list of steps beside a page has every title of every ceremony, whole: it is broken
// between words, and nothing of it is cut.
func TestTitlesFit(t *testing.T) {
	opened := engine.Facts{transcript.FactGenerate: "yes", transcript.FactFence: transcript.Fenced}
	for _, c := range steps.All() {
		v := engine.View{N: 2, Steps: engine.Stages(c.Steps(opened), nil, false)}
		v.Steps[0].At = "14:05:01"
		for _, columns := range []int{100, 120, 160, 200} {
			for _, g := range []glyphs{unicodeGlyphs, asciiGlyphs} {
				b := boxOf(g, columns, 50, false)
				lines, here := b.steps(v, b.left)
				if !strings.Contains(lines[here], g.now) {
					t.Errorf("%s at %d: line %d is not the step that is now: %s", c.Kind, columns, here, lines[here])
				}
				for _, note := range []string{"14:05", " now", " 2 min"} { // done, now, planned
					if !strings.Contains(strings.Join(lines, "\n"), note) {
						t.Errorf("%s at %d: no %q beside the steps:\n%s", c.Kind, columns, note, strings.Join(lines, "\n"))
					}
				}
				all := ""
				for _, line := range lines {
					if n := ansi.StringWidth(line); n > b.left {
						t.Errorf("%s at %d: %d columns: %q", c.Kind, columns, n, line)
					}
					all += " " + line
				}
				for _, mark := range []string{g.done, g.now, g.todo} {
					all = strings.ReplaceAll(all, " "+mark+" ", " ")
				}
				all = plannedMinutes.ReplaceAllString(all+" ", " ")
				for _, s := range v.Steps {
					if all = strings.Join(strings.Fields(all), " "); !strings.HasPrefix(all, s.Title) {
						t.Fatalf("%s at %d: %q is not whole: %s", c.Kind, columns, s.Title, strings.Join(lines, "\n"))
					}
					all = strings.TrimPrefix(all, s.Title)
				}
			}
		}
	}
}
