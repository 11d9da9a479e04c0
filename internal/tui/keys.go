package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// finalStep is the step on which people sign the end.
const finalStep = "finals"

// always are the keys of every page, with a letter alone where none is typed into a field.
func (m *model) always() []key {
	name := func(ctrl, letter string) string {
		if m.typing() {
			return ctrl
		}
		return letter
	}
	keys := []key{
		{name("ctrl+x", "x"), "deviation", "report what differs from the steps: it is recorded at once"},
		{name("ctrl+t", "t"), "steps", "list the steps: done, now, to come"},
		{name("ctrl+r", "w"), "room", "list who is here, who must act, who signed what"},
		{name("ctrl+o", "l"), "log", "read the log so far, newest first"},
		{"ctrl+c", "stop", "stop here, after a question; the same command continues"},
	}
	if m.view.Replay || m.reporting() || m.view.Step == finalStep || m.view.Ending != nil { // the log is closed
		return keys[1:]
	}
	return keys
}

func (m *model) helpKey() key {
	if m.typing() {
		return key{"ctrl+g", "help", "this page"}
	}
	return key{"?", "help", "this page"}
}

// own are the keys of what is on the page.
func (m *model) own() []key {
	scroll := key{"pgup, pgdn", "scroll", "scroll a page that is longer than the screen"}
	switch {
	case m.reporting():
		return m.report.keys()
	case m.over != overNothing:
		return []key{{"esc", "close", "close what covers the page"}, scroll}
	case m.reading:
		return m.read.keys()
	case m.view.Replay:
		return turnKeys(m.view)
	case m.ask != nil:
		return m.ask.keys()
	case m.view.Progress != nil:
		return runKeys(*m.view.Progress)
	}
	return nil
}

// stopQuestion is asked after ctrl+c.
const stopQuestion = "Stop here? Rerun the command to continue.  y stop   any other key: stay"

// keyRows is the line of keys, as many as have room, or a question that must be answered first.
func (m *model) keyRows(b box) []string {
	width := b.width - 4
	switch {
	case m.lent != nil:
		return []string{past.Render(" The keyboard belongs to the prompt below.")}
	case m.stopping:
		return text.Wrap([]string{" " + alarm.Render(stopQuestion)}, width)
	case m.stopped:
		return text.Wrap([]string{accent.Render(" stopping: finishing the work in progress")}, width)
	case m.steering != nil && m.view.Progress != nil:
		return text.Wrap([]string{accent.Render(m.steering.line(m.people()))}, width)
	case m.gate.shut:
		return []string{" " + key{"ctrl+c", "stop", ""}.short()}
	}
	if s, ok := m.ask.(*signPrompt); ok && s.later && m.over == overNothing {
		return []string{" y end   any other key: stay"}
	}
	line, help := "", m.helpKey().short()
	for _, k := range append(m.own(), m.always()...) {
		if next := line + k.short() + "  "; ansi.StringWidth(next+help) <= width {
			line = next
		} else {
			break
		}
	}
	line = " " + line + help
	elapsed := m.elapsed()
	if gap := b.width - 4 - ansi.StringWidth(line) - len(elapsed); elapsed != "" && gap > 1 {
		line += strings.Repeat(" ", gap) + elapsed
	}
	return []string{line}
}

// elapsed is the time since this run began, and what is planned.
func (m *model) elapsed() string {
	if m.view.Started.IsZero() {
		return ""
	}
	minutes := 0
	for _, s := range m.view.Steps {
		minutes += s.Minutes
	}
	span := text.Span(m.now().Sub(m.view.Started))
	if minutes == 0 || m.view.Replay || m.view.Ending != nil {
		return "elapsed " + span
	}
	return fmt.Sprintf("%s of about %d min", span, minutes)
}
