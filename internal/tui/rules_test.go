package tui

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// screens are the sizes at which every page keeps the rules: from what is hardly a screen to a wall.
var screens = [][2]int{{20, 8}, {40, 12}, {40, 24}, {60, 16}, {80, 24}, {100, 30}, {120, 40}, {160, 50}, {211, 60}}

// TestPagesKeepRules: every page, at every size, in Unicode and in ASCII: no line is wider than the
// screen and no page higher; the header has the ceremony and the step; the lines that wait for a person
// are in view, whole; ASCII is ASCII alone; without color no sequence sets an attribute (B9, B11, B12,
// H1, H15). A page whose terminal is lent keeps them too, in fewer rows.
func TestPagesKeepRules(t *testing.T) {
	for name, file := range pageFiles(t) {
		s := sceneIn(t, file)
		for _, size := range screens {
			for form, g := range map[string]glyphs{"unicode": unicodeGlyphs, "ascii": asciiGlyphs} {
				p := s.opens(t, g, size[0], size[1])
				drawn, waits := p.View(), p.act()
				if s.Lend != nil && s.Early == nil {
					if size[1] <= lentRows+4 { // hardly a screen
						continue
					}
					if p.lent == nil {
						t.Fatalf("%s: nobody has the terminal", name)
					}
					p.height -= lentRows
					drawn = p.drawn(p.height, false)
					waits = p.keyRows(p.box)
				}
				if bad := ruleBroken(p, drawn, waits); bad != "" {
					t.Errorf("%s at %dx%d in %s: %s:\n%s", name, size[0], size[1], form, bad, drawn)
				}
			}
		}
	}
}

// ruleBroken names the rule that a page breaks.
func ruleBroken(p page, drawn string, waits []string) string {
	lines := strings.Split(drawn, "\n")
	if len(lines) > p.height {
		return fmt.Sprintf("%d lines", len(lines))
	}
	for i, line := range lines {
		if n := ansi.StringWidth(line); n >= p.width {
			return fmt.Sprintf("line %d has %d columns", i+1, n)
		}
	}
	if bad := headerBroken(p, lines); bad != "" {
		return bad
	}
	if strings.ContainsRune(drawn, 0x1b) {
		return "a sequence without colors"
	}
	if p.glyphs.ascii() && strings.ContainsFunc(drawn, func(r rune) bool { return r >= 0x80 }) {
		return "a byte that is not ASCII"
	}
	if p.lent != nil && strings.Contains(drawn, "pgdn") {
		return "a key that scrolls, and the keyboard belongs to somebody else"
	}
	wrapped := p.box.wrapped(waits)
	for _, line := range wrapped[max(0, len(wrapped)-max(1, p.height-6)):] { // as many as such a screen has
		if line = strings.TrimRight(p.glyphs.safe(line), " "); !strings.Contains(drawn, line) {
			return fmt.Sprintf("%q is not in view", line)
		}
	}
	return pinBroken(p, drawn)
}

// headerBroken says what a header lacks: the ceremony, the step, what is no production ceremony.
func headerBroken(p page, lines []string) string {
	head := lines[0]
	ceremony := strings.ReplaceAll(text.Ceremony(p.view), "->", p.glyphs.to)
	place := strings.TrimPrefix(text.Place(p.view), "step ")
	if short := strings.ReplaceAll(place, " of ", "/"); !strings.Contains(head, place) && strings.Contains(head, short) {
		place = short
	}
	if p.width < 40 {
		ceremony = ceremony[:min(len(ceremony), 8)]
	}
	if ceremony == "" {
		ceremony = "kekceremony"
	}
	for _, want := range []string{ceremony, place} {
		if !strings.Contains(head, want) {
			return fmt.Sprintf("no %q in the header", want)
		}
	}
	if p.width >= 80 && p.view.Ending == nil && !strings.Contains(head, p.view.Step) {
		return "no name of the step in the header"
	}
	if p.width >= 80 && p.view.Of > 1 && p.view.Ending == nil && !strings.Contains(head, p.glyphs.here) {
		return "no line of progress in the header"
	}
	if mode := p.mode(); mode != "" && !strings.Contains(head+lines[1], mode) {
		return "no " + mode
	}
	all := strings.Join(lines, "")
	if time := p.clock(); time != "" && p.width >= 60 && len(lines) > 8 && !strings.Contains(all, time) {
		return "no " + time
	}
	return ""
}

// pinBroken: from 40x24 on nobody signs without the digest and the signers in view.
func pinBroken(p page, drawn string) string {
	s, ok := p.ask.(*signPrompt)
	if !ok || len(p.pinned()) == 0 || len(p.disputing()) > 0 || p.height < 24 || p.over != overNothing ||
		len(s.q.Q.Signers[0].Name) > 16 { // a name has no room beside its state
		return ""
	}
	_, digest := text.Digest(s.q.Q)
	between := func(r rune) bool { return unicode.IsSpace(r) || r == '|' || r == '│' }
	drawn = strings.Join(strings.FieldsFunc(drawn, between), "")
	for i := 0; i+4 <= len(digest); i += 4 {
		if !strings.Contains(drawn, digest[i:i+4]) {
			return "the digest is not in view"
		}
	}
	for i, one := range s.q.Q.Signers {
		if now := i == s.who; now && text.Compares(s.q.Q) && !strings.Contains(drawn, one.Fingerprint) && !p.box.wide() {
			return "the key is not in view that is compared"
		}
		_, _, state := standingOf(s.q.Q, one, i == s.who)
		state = strings.ReplaceAll(minutes(s.q.Q, one, state), " ", "")
		if !strings.Contains(drawn, p.glyphs.safe(one.Name)) || !strings.Contains(drawn, state) {
			return one.Name + " is not in view"
		}
	}
	return ""
}
