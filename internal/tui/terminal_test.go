package tui

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/term"
)

// TestGlyphs: lines and ticks only where the locale and the kind of terminal have them.
func TestGlyphs(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string // the mark of what is done
	}{
		{map[string]string{"LANG": "de_DE.UTF-8", "TERM": "xterm-256color"}, "✓"},
		{map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8", "TERM": "xterm"}, "[ok]"},
		{map[string]string{"LC_CTYPE": "C.utf8", "TERM": "linux"}, "√"},
		{map[string]string{"LANG": "C.UTF-8", "TERM": "vt220"}, "[ok]"},
		{map[string]string{"LANG": "en_US.ISO-8859-1", "TERM": "xterm"}, "[ok]"},
		{map[string]string{"TERM": "xterm"}, "[ok]"},
	} {
		g := glyphsOf(func(name string) string { return c.env[name] })
		if g.done != c.want || g.other().ascii() == g.ascii() {
			t.Errorf("%v: %s, want %s", c.env, g.done, c.want)
		}
	}
}

// TestGround: a background is dark or light where a terminal says so, and else neither.
func TestGround(t *testing.T) {
	for said, want := range map[string]ground{"": anyGround, "15;0": darkGround, "0;15": lightGround,
		"0;default;15": lightGround, "12;8": darkGround, "0;7": lightGround, "x": anyGround} {
		if got := groundOf(func(name string) string { return map[string]string{"COLORFGBG": said}[name] }); got != want {
			t.Errorf("COLORFGBG=%q is %v, want %v", said, got, want)
		}
	}
	if groundOf(func(name string) string { return map[string]string{"TERM": "linux"}[name] }) != darkGround {
		t.Error("the Linux console is not dark")
	}
}

// TestReadableOnAny: where nothing is known of the background, colors can be read on black and on white: their
// contrast is at least 3.8, where 21 is black on white (WCAG 2, relative luminance).
func TestReadableOnAny(t *testing.T) {
	for name, role := range map[string][3]lipgloss.CompleteColor{"accent": accents, "alarm": alarms, "good": goods,
		"pending": pendings} {
		for ground, on := range map[ground][]float64{darkGround: {0}, lightGround: {1}, anyGround: {0, 1}} {
			for _, color := range []string{role[ground].TrueColor, role[ground].ANSI256} {
				of := luminance(color)
				for _, behind := range on {
					if c := (max(of, behind) + .05) / (min(of, behind) + .05); c < 3.8 {
						t.Errorf("%s %s on a ground of luminance %.0f: contrast %.1f", name, color, behind, c)
					}
				}
			}
		}
	}
}

// luminance is the relative luminance of a color of termenv.
func luminance(color string) float64 {
	c := termenv.ConvertToRGB(termenv.TrueColor.Color(color))
	linear := func(v float64) float64 {
		if v <= .03928 {
			return v / 12.92
		}
		return math.Pow((v+.055)/1.055, 2.4)
	}
	return .2126*linear(c.R) + .7152*linear(c.G) + .0722*linear(c.B)
}

// TestPainted: the wizard and the home page have the colors of the background before anything is drawn.
func TestPainted(t *testing.T) {
	t.Cleanup(func() { paint(darkGround) })
	paint(anyGround)
	if accent.GetForeground() != lipgloss.TerminalColor(accents[anyGround]) || !accent.GetBold() {
		t.Error("the accent is not that of any ground")
	}
	t.Setenv("COLORFGBG", "0;15")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = Home(ctx, new(term.Terminal), func(context.Context) (Front, error) { return Front{}, nil })
	if pending.GetForeground() != lipgloss.TerminalColor(pendings[lightGround]) {
		t.Error("the home page does not look at the background")
	}
}

// TestBareTerminals: the Linux console and serial terminals have no alternate screen.
func TestBareTerminals(t *testing.T) {
	for kind, want := range map[string]bool{"linux": true, "vt220": true, "vt100": true, "ansi": true, "dumb": true,
		"xterm": false, "screen-256color": false, "tmux": false} {
		if bare(kind) != want {
			t.Errorf("%s is bare: %v", kind, !want)
		}
	}
}

// TestNoSize: a terminal that says 0x0 keeps the size that it was taken for.
func TestNoSize(t *testing.T) {
	p := newPage(t)
	p.width, p.height = 100, 30
	p.Update(tea.WindowSizeMsg{})
	if p.width != 100 || p.height != 30 {
		t.Errorf("%dx%d", p.width, p.height)
	}
}

// TestResized: a page that was small for a moment is as before.
func TestResized(t *testing.T) {
	p := newPage(t)
	p.asked(engine.Question{Field: engine.Field{Name: "bags", Question: "Bags?", Help: strings.Repeat("a long help ", 12)},
		Value: "a value"})
	p.rest()
	before := p.View()
	for _, size := range [][2]int{{20, 6}, {160, 50}, {80, 24}} {
		p.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		p.View()
	}
	if after := p.View(); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
}

// TestPastedOnce: what is pasted arrives once, in a question, a word, a reason and a report.
func TestPastedOnce(t *testing.T) {
	paste := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("pasted"), Paste: true}
	p := newPage(t)
	p.asked(bags)
	p.rest()
	p.Update(paste)
	p.Update(tea.KeyMsg{Type: tea.KeyCtrlV})
	p.shows("> pasted_", true)
	p.press("ctrl+x")
	p.Update(paste)
	p.shows("> pasted_", true)
	p = newPage(t)
	p.consents(rotation(""))
	p.rest()
	p.Update(paste)
	p.Update(tea.KeyMsg{Type: tea.KeyCtrlV})
	p.shows("sign > pasted_", true)
}

// TestDeadKeys: no key leaves a form's field, stops the program without a question, or empties the screen.
func TestDeadKeys(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	for _, k := range []tea.KeyType{tea.KeyShiftTab, tea.KeyTab, tea.KeyCtrlZ, tea.KeyCtrlS, tea.KeyCtrlQ, tea.KeyCtrlV} {
		if _, cmd := p.Update(tea.KeyMsg{Type: k}); cmd != nil {
			t.Errorf("%v does something", k)
		}
	}
	p.press("ctrl+c")
	p.shows("Stop here?", true)
	p.shows("Bags?", true)
	p.press("n", "bag 7", "enter")
	came(p, answers, "bag 7", nil)
}

// TestLateEscape: on a slow line the ESC of an arrow key comes alone, and its rest as text. Nothing is
// lost, answered or signed by that.
func TestLateEscape(t *testing.T) {
	p := newPage(t)
	answers := p.asked(bags)
	p.rest()
	p.press("ctrl+x", "three came", "esc", "[A") // up, in a report
	p.rest()
	p.press("ctrl+x")
	p.shows("> three came", true)
	p.press("esc")
	p.rest()
	p.press("ctrl+g", "esc", "[A") // up, in the help
	p.rest()
	p.press("bag 7", "esc") // and in the field: it goes back with what was typed
	came(p, answers, "bag 7", engine.ErrBack)
	p.press("[A")
	words := p.consents(rotation(""))
	p.rest()
	p.press("2", "esc", "[A")
	p.stillOpen()
	p.press("backspace", "backspace", "enter")
	came(p, words, engine.Consent{Signer: "alice", Word: "2"}, nil)
}

// TestReservedKeys: no command has a key that consoles and shells own.
func TestReservedKeys(t *testing.T) {
	p := newPage(t)
	p.consents(rotation(""))
	p.rest()
	for _, k := range append(append(p.own(), p.always()...), p.listed(helpCommand)) {
		if slices.Contains([]string{"ctrl+s", "ctrl+q", "ctrl+w", "ctrl+u", "ctrl+d", "ctrl+z"}, k.name) {
			t.Errorf("%s: %s", k.name, k.help)
		}
	}
}
