package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// screens are the sizes at which every page keeps the rules: from what is hardly a screen to a wall.
var screens = [][2]int{{20, 8}, {40, 12}, {40, 24}, {60, 16}, {80, 24}, {100, 30}, {120, 40}, {160, 50}, {211, 60}}

// TestPagesKeepRules: every page, at every size, in Unicode and in ASCII: no line is wider than the
// screen and no page higher; the header is there; the line that waits for a person is in view; ASCII
// is ASCII alone; without color no sequence sets an attribute (B9, B11, B12, H1, H15).
func TestPagesKeepRules(t *testing.T) {
	for name, file := range pageFiles(t) {
		s := sceneIn(t, file)
		if s.Lend != nil && s.Early == nil {
			continue // a terminal that was lent: TestPages
		}
		for _, size := range screens {
			for form, g := range map[string]glyphs{"unicode": unicodeGlyphs, "ascii": asciiGlyphs} {
				p := s.opens(t, g, size[0], size[1])
				if bad := ruleBroken(p, p.View()); bad != "" {
					t.Errorf("%s at %dx%d in %s: %s:\n%s", name, size[0], size[1], form, bad, p.View())
				}
			}
		}
	}
}

// ruleBroken names the rule that a page breaks.
func ruleBroken(p page, drawn string) string {
	lines := strings.Split(drawn, "\n")
	if len(lines) > p.height {
		return fmt.Sprintf("%d lines", len(lines))
	}
	for i, line := range lines {
		if n := ansi.StringWidth(line); n >= p.width {
			return fmt.Sprintf("line %d has %d columns", i+1, n)
		}
	}
	head := lines[0]
	if step := p.view.Step; !strings.Contains(head, "kekceremony") && !strings.Contains(head, "step ") &&
		p.view.Ending == nil ||
		p.width >= 80 && step != "" && !strings.Contains(head, step) {
		return "no header"
	}
	if strings.ContainsRune(drawn, 0x1b) {
		return "a sequence without colors"
	}
	if p.glyphs.ascii() && strings.ContainsFunc(drawn, func(r rune) bool { return r >= 0x80 }) {
		return "a byte that is not ASCII"
	}
	if waits := p.act(); len(waits) > 0 {
		wrapped := p.box.wrapped(waits)
		if last := strings.TrimRight(wrapped[len(wrapped)-1], " "); !p.glyphs.ascii() && !strings.Contains(drawn, last) {
			return fmt.Sprintf("%q is not in view", last)
		}
	}
	return ""
}
