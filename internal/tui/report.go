package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// reporting is a deviation that somebody reports. It covers the page, whose question stays open.
type reporting struct {
	fields  [4]textinput.Model
	at      int
	refused string
	sent    bool // the engine records it
	before  int  // so many were reported before it
}

// to goes to another part of the report.
func (r *reporting) to(at int) {
	r.fields[r.at].Blur()
	r.at = min(max(0, at), len(r.fields)-1)
	r.fields[r.at].Focus()
}

func (r *reporting) body(v engine.View) []string {
	why := " What differs from the steps is recorded at once, in step " + v.Step + ". Those who sign the end sign it too."
	lines := []string{" " + strong.Render("Report a deviation"), past.Render(why), ""}
	for i := range r.fields[:r.at] {
		head, value := text.Detail(text.ReportNames[i], r.fields[i].Value())
		lines = append(lines, " "+head+value)
	}
	return lines
}

func (r *reporting) act(b box) (lines []string) {
	if r.refused != "" {
		lines = append(lines, alarm.Render(" refused: "+r.refused))
	}
	if r.sent {
		return append(lines, pending.Render(" The program records it as soon as it has ended what it does."))
	}
	head := " " + b.of(markNow) + " "
	r.fields[r.at].Width = max(8, min(maxField, b.page()-12))
	return append(lines, head+strong.Render(text.ReportQuestions[r.at]),
		strings.Repeat(" ", ansi.StringWidth(head))+field(r.fields[r.at]))
}

func (r *reporting) keys() []key {
	enter := key{"enter", "next", "go to the next part"}
	if r.at == len(r.fields)-1 {
		enter = key{"enter", "record", "record the deviation"}
	}
	return []key{enter, {"shift+tab", "previous part", "go to the previous part"},
		{"esc", "no deviation", "report nothing"}}
}
