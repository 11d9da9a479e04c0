package tui

import (
	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// recorded says what became of a report.
type recorded struct{ err error }

// begins opens a report if the key asks for one.
func (m *model) begins(k tea.KeyMsg) bool {
	if !m.pressed(reportCommand, k) || m.view.Replay {
		return false
	}
	r := &reporting{}
	for i := range r.fields {
		r.fields[i] = textinput.New()
		r.fields[i].Prompt, r.fields[i].CharLimit = "> ", 200
	}
	r.fields[0].Focus()
	if m.draft != nil {
		r, m.draft = m.draft, nil
	}
	m.report, m.scroll = r, 0
	return true
}

// toReport takes a key of a report.
func (m *model) toReport(k tea.KeyMsg) tea.Cmd {
	r := m.report
	switch name := k.String(); {
	case r.sent:
	case name == "esc":
		m.draft, m.report = m.report, nil // what was typed stands there again
		return m.gate.shutFor()
	case name == "shift+tab" || name == "up":
		r.to(r.at - 1)
	case name == "tab" || name == "down":
		r.to(r.at + 1)
	case name == "enter":
		return m.next()
	case name != "ctrl+v":
		r.refused = ""
		r.fields[r.at], _ = r.fields[r.at].Update(k)
	}
	return nil
}

// next takes a part, and after the last one has the whole recorded.
func (m *model) next() tea.Cmd {
	r := m.report
	for i := range r.fields[:r.at+1] {
		if err := engine.CheckPart(i, r.fields[i].Value()); err != nil {
			r.to(i)
			if engine.IsPIN(err) {
				r.fields[i].Reset()
			}
			r.refused = err.Error()
			return nil
		}
	}
	if r.at < len(r.fields)-1 {
		r.to(r.at + 1)
		return nil
	}
	r.sent, r.before = true, m.view.Reported
	var parts [4]string
	for i, f := range r.fields {
		parts[i] = f.Value()
	}
	came := m.room.Remark(engine.ReportOf(parts))
	if m.control != nil {
		m.control.Wake()
	}
	return func() tea.Msg { return recorded{<-came} }
}

// recorded closes a report that is in the log.
func (m *model) recorded(r recorded) tea.Cmd {
	if m.report == nil {
		return nil
	}
	if m.report.sent = false; r.err != nil {
		m.report.refused = r.err.Error()
		return nil
	}
	m.said = text.Reported(m.report.before + 1)
	m.report, m.over = nil, overNothing
	return m.gate.shutFor() // the page below takes no key of somebody who types on
}
