package tui

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// finalStep is the step on which people sign the end.
const finalStep = "finals"

// single reports whether the letter of a command works alone on the page.
func (m *model) single(c command) bool {
	return !m.typing() && !slices.ContainsFunc(m.own(), func(k key) bool { return k.name == c.letter && k != c.alone() })
}

// listed is the shortest key of a command on the page.
func (m *model) listed(c command) key {
	if m.single(c) {
		return c.alone()
	}
	return c.key()
}

// pressed reports whether a key is the command's.
func (m *model) pressed(c command, k tea.KeyMsg) bool {
	name := k.String()
	return name == c.ctrl() || name == c.letter && m.single(c)
}

// commands are those of every page.
func (m *model) commands() []command {
	all := []command{reportCommand, stepsCommand, roomCommand, logCommand}
	if m.view.Replay || m.reporting() || m.view.Step == finalStep || m.view.Ending != nil { // the log is closed
		return all[1:]
	}
	return all
}

// stopKey works on every page.
var stopKey = key{"ctrl+c", "stop", "stop here, after a question; the same command continues"}

// always are the keys of every page.
func (m *model) always() (all []key) {
	for _, c := range m.commands() {
		all = append(all, m.listed(c))
	}
	if m.view.Ending != nil && !m.continues() {
		return all // nothing is left to stop
	}
	return append(all, stopKey)
}

// continues reports whether the page is the last one of a ceremony after which a rehearsal continues.
func (m *model) continues() bool { return m.view.Ending != nil && m.view.Ending.Following != "" }

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

// stopQuestion is asked before a stop. The command that continues has lines of its own, to be copied.
func (m *model) stopQuestion(b box, width int) []string {
	if m.view.Ending != nil && !m.continues() {
		return []string{" " + alarm.Render("Close this page?") + "  y close   any other key: stay"}
	}
	lines := []string{" " + alarm.Render("Stop here?") + "  y stop   any other key: stay"}
	c := m.view.Command
	if c == "" || m.view.Rehearsal || !b.framed { // it is printed after the stop
		return append(lines, " To continue, rerun the command.")
	}
	lines = append(lines, " To continue, run this:")
	for _, part := range text.Command(c, width-3) {
		lines = append(lines, "   "+part)
	}
	return lines
}

// keyRows is the line of keys, as many as have room, or a question that must be answered first.
func (m *model) keyRows(b box) []string {
	width := b.width - 4
	switch {
	case m.lent != nil:
		return text.Wrap([]string{past.Render(" The keyboard belongs to the prompt below.")}, width)
	case m.stopping != nil:
		return text.Wrap(m.stopQuestion(b, width), width)
	case m.stopped:
		return text.Wrap([]string{accent.Render(" stopping: finishing the work in progress")}, width)
	case m.steering != nil && m.view.Progress != nil && m.over == overNothing && !m.reporting():
		return text.Wrap([]string{accent.Render(m.steering.line(m.people()))}, width)
	case m.gate.shut:
		return []string{" " + stopKey.short()}
	}
	if s, ok := m.ask.(*signPrompt); ok && s.later && m.over == overNothing {
		return []string{" y end   any other key: stay"}
	}
	line, help := "", m.listed(helpCommand).short()
	for _, k := range append(m.own(), m.always()...) {
		if next := line + k.short() + "  "; ansi.StringWidth(next+help) <= width {
			line = next
		} else {
			break
		}
	}
	return []string{" " + line + help}
}
