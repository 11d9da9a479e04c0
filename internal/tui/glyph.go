package tui

import (
	"os"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// glyphs are the characters of a page that are no text.
type glyphs struct {
	done, now, todo, none, bad string // marks of people, steps and tests, all of one width
	past, here, ahead          string // cells of the line of progress
	full, empty                string // of a bar
	across, down               string
	corners                    [4]string // top left, top right, bottom left, bottom right
	joints                     [4]string // left, right, top, bottom
	to                         string    // from one version to another
	more                       string    // of a text that was cut
}

var (
	unicodeGlyphs = glyphs{done: "✓", now: "►", todo: "·", none: "–", bad: "✗", past: "━", here: "●", ahead: "·",
		full: "█", empty: "░", across: "─", down: "│", corners: [4]string{"┌", "┐", "└", "┘"},
		joints: [4]string{"├", "┤", "┬", "┴"}, to: "→", more: "…"}
	asciiGlyphs = glyphs{done: "[ok]", now: "[>>]", todo: "[  ]", none: "[--]", bad: "[NO]", past: "=", here: ">",
		ahead: ".", full: "#", empty: ".", across: "-", down: "|", corners: [4]string{"+", "+", "+", "+"},
		joints: [4]string{"+", "+", "+", "+"}, to: "->", more: "..."}
)

// glyphsOf are what a terminal can show: by its character set, which the locale names, and its
// kind. The font of the Linux console lacks the ticks.
func glyphsOf(env func(string) string) glyphs {
	locale := env("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = env(name)
		}
	}
	locale = strings.ToLower(strings.ReplaceAll(locale, "-", ""))
	kind := env("TERM")
	switch {
	case !strings.Contains(locale, "utf8"), strings.HasPrefix(kind, "vt"), kind == "ansi", kind == "dumb":
		return asciiGlyphs
	case kind == "linux":
		console := unicodeGlyphs
		console.done, console.bad, console.past = "√", "×", "═"
		return console
	}
	return unicodeGlyphs
}

// glyphsFor are those of a terminal: ASCII where people say so.
func glyphsFor(t *engine.Terminal) glyphs {
	if t.ASCII {
		return asciiGlyphs
	}
	return glyphsOf(os.Getenv)
}

// ascii reports whether they are ASCII alone.
func (g glyphs) ascii() bool { return g.to == asciiGlyphs.to }

// other are ASCII instead of anything else, and the other way round.
func (g glyphs) other() glyphs {
	if g.ascii() {
		return unicodeGlyphs
	}
	return asciiGlyphs
}

// safe leaves nothing but ASCII where that is all that the terminal shows: what people typed in
// other characters stands in the transcript.
func (g glyphs) safe(page string) string {
	if !g.ascii() {
		return page
	}
	return text.ASCII(page)
}

// mark is where a person, a step, a process or a test stands.
type mark int

const (
	markTodo mark = iota
	markDone
	markNow
	markNone // it never comes to that
	markBad
)

// of draws a mark.
func (g glyphs) of(m mark) string {
	text := [...]string{g.todo, g.done, g.now, g.none, g.bad}[m]
	return [...]lipgloss.Style{past, good, accent, past, alarm}[m].Render(text)
}
