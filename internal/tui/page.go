package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// View implements tea.Model.
func (m *model) View() string { return m.page(m.height) }

// page is header, body, what a person must do, who is here, and the keys, in so
// many rows. Only the body scrolls.
func (m *model) page(height int) string {
	width := m.width - 1
	rule := past.Render(strings.Repeat("-", width))
	head := []string{header(m.view, width), rule}
	body := text.Wrap(m.body(), width)
	foot := append(m.act(width), text.Wrap([]string{m.present()}, width)...)
	keys := text.Wrap([]string{m.keyLine()}, width)
	m.lines, m.rows = len(body), max(3, height-len(head)-len(foot)-1-len(keys))
	from := min(m.scroll, max(0, len(body)-m.rows))
	under := rule
	if len(body) > from+m.rows {
		const more = "--- pgdn: more "
		under = past.Render(more + strings.Repeat("-", max(0, width-len(more))))
	}
	shown := body[from:min(len(body), from+m.rows)]
	for len(shown) < m.rows {
		shown = append(shown, "")
	}
	page := slices.Concat(head, shown, foot, []string{under}, keys)
	for i := range page {
		page[i] = ansi.Truncate(page[i], width, "")
	}
	return strings.Join(page, "\n")
}

// act is the line that waits for a person, and a blank one.
func (m *model) act(width int) []string {
	if m.ask == nil || m.log || m.gate.shut {
		return m.notYet()
	}
	lines := text.Wrap(m.ask.act(width), width)
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return lines
}

// notYet says why keys do nothing on a page that is new.
func (m *model) notYet() []string {
	if m.ask == nil && m.lends == nil || !m.gate.shut || !m.gate.dropped {
		return nil
	}
	return []string{past.Render(" New page: it ignores keys until you pause for a moment."), ""}
}

// header says where we are.
func header(v engine.View, width int) string {
	left := " kekceremony  " + text.Ceremony(v)
	right := text.Place(v)
	if v.Ending == nil && v.Of > 0 {
		right += "  " + v.Step
	}
	if v.Rehearsal {
		right = "REHEARSAL   " + right
	}
	if v.Replay {
		right = "REPLAY   " + right
	}
	gap := width - len(left) - len(right)
	if gap < 1 { // the step says it all
		return " " + strings.TrimLeft(right, " ")
	}
	return strong.Render(left) + strings.Repeat(" ", gap) + right
}

// body is everything between the rules.
func (m *model) body() []string {
	if m.log {
		return logPage(m.view)
	}
	v := m.view
	if v.Ending != nil {
		return ending(v, m.width)
	}
	lines := append([]string{" " + strong.Render(v.Title)}, para(past, " ", v.Why, m.width-1)...)
	lines = append(lines, "")
	switch {
	case m.ask != nil:
		return append(lines, m.ask.body(v, m.width)...)
	case m.signed != nil:
		return append(lines, m.signed.body(v, m.width)...)
	}
	return append(lines, found(v, m.width, m.now())...)
}

// present says who is in the room and how many must sign.
func (m *model) present() string {
	if says := text.Present(m.view); says != "" {
		return " " + says
	}
	return ""
}

func (m *model) keyLine() string {
	if m.stopping {
		return alarm.Render(" Stop here? Rerun the command to continue.  y stop   any other key: stay")
	}
	if m.stopped {
		return accent.Render(" stopping: finishing the work in progress")
	}
	if m.steering != nil && m.view.Progress != nil {
		return accent.Render(m.steering.line(m.people()))
	}
	keys := "ctrl+o log   ctrl+c stop"
	switch {
	case m.gate.shut:
		keys = "ctrl+c stop"
	case m.log:
		keys = "ctrl+o close the log   pgup, pgdn scroll   ctrl+c stop"
	case m.view.Replay:
		keys = turnKeys(m.view)
	case m.ask != nil:
		keys = m.ask.keys()
	case m.view.Progress != nil:
		pause := "p pause"
		if m.view.Progress.State == engine.Paused {
			pause = "p resume"
		}
		keys = pause + "  - slower  + faster  r rate  " + keys
	}
	left := " " + keys
	right := ""
	if !m.view.Started.IsZero() {
		right = "elapsed " + text.Span(m.now().Sub(m.view.Started))
	}
	gap := m.width - 1 - ansi.StringWidth(left) - len(right)
	if gap < 2 {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}

// logPage shows the last events.
func logPage(v engine.View) []string {
	lines := []string{strong.Render(" The log so far, newest first"), ""}
	for i := len(v.Log) - 1; i >= 0; i-- {
		lines = append(lines, " "+v.Log[i])
	}
	return lines
}
