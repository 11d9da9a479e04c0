package tui

import (
	"fmt"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// covers are the commands that cover a page.
var covers = map[command]over{helpCommand: overHelp, logCommand: overLog, stepsCommand: overSteps,
	roomCommand: overRoom, earlierCommand: overEarlier,
	planCommand: overPlan}

// covering is what a key covers the page with.
func (m *model) covering(k tea.KeyMsg) (to over, ok bool) {
	if k.String() == "?" && !m.typing() {
		return overHelp, true
	}
	for c, to := range covers {
		if m.pressed(c, k) && (to != overEarlier || m.answered()) && (to != overPlan || m.planned()) {
			return to, true
		}
	}
	return overNothing, false
}

// answered reports whether people of an earlier run answered what is signed on the page.
func (m *model) answered() bool {
	s, ok := m.ask.(*signPrompt)
	return ok && len(s.q.Q.Earlier) > 0
}

// planned reports whether a plan is signed on the page.
func (m *model) planned() bool {
	s, ok := m.ask.(*signPrompt)
	return ok && s.q.Q.Text != ""
}

// cover takes a key that covers a page, or uncovers it.
func (m *model) cover(k tea.KeyMsg) (cmd tea.Cmd, taken bool) {
	if to, ok := m.covering(k); ok {
		m.scroll = 0
		if m.over == to {
			m.over = overNothing
			return m.gate.shutFor(), true // as on esc
		}
		m.over = to
		return nil, true
	}
	if m.over == overNothing {
		return nil, false
	}
	switch name := k.String(); name {
	case "esc", "q":
		m.over, m.scroll = overNothing, 0
		return m.gate.shutFor(), true // the page below takes no key of somebody who types on
	case "u":
		if m.over == overHelp {
			m.glyphs = m.glyphs.other()
		}
	case "up", "down":
		m.scrollBy(map[string]int{"up": -1, "down": 1}[name])
	}
	return nil, true
}

// listWidth is the widest that a list becomes which covers a page.
const listWidth = 54

// overlay is what covers the page.
func (m *model) overlay() []string {
	switch m.over {
	case overHelp:
		return m.help()
	case overLog:
		return m.box.log(m.view)
	case overEarlier:
		if s, ok := m.ask.(*signPrompt); ok {
			return m.box.earlier(s.q.Q)
		}
		return nil
	case overPlan:
		if s, ok := m.ask.(*signPrompt); ok {
			return m.box.wholePlan(s.q.Q)
		}
		return nil
	case overSteps:
		lines := []string{strong.Render(" Steps of this ceremony, times in UTC")}
		if at := m.view.Continues; at != "" {
			lines = append(lines, para(plain, " ", at, m.box.page())...)
		}
		steps, _ := m.box.steps(m.view, min(m.box.page(), listWidth))
		return append(append(lines, ""), steps...)
	}
	return append([]string{strong.Render(" The room"), ""}, m.box.room(m, m.box.page())...)
}

// help is every key of the page.
func (m *model) help() []string {
	over := m.over
	m.over = overNothing // the keys of the page that is covered
	own, typing := m.own(), m.typing()
	var always []key
	for _, c := range append(m.commands(), helpCommand) {
		always = append(always, c.both())
	}
	m.over = over
	var lines []string
	add := func(keys []key) {
		for _, k := range keys {
			lines = append(lines, fmt.Sprintf("   %-12s %s", k.name, k.help))
		}
	}
	if len(own) > 0 {
		lines = append(lines, strong.Render(" Keys of this page"), "")
		add(own)
		lines = append(lines, "")
	}
	lines = append(lines, strong.Render(" Keys of every page"), "")
	add(append(always, stopKey))
	add([]key{{"pgup, pgdn", "", "scroll a page that is longer than the screen"},
		{"ctrl+l", "", "draw the screen again"}, {"u", "", "on this page: draw with ASCII characters alone, or not"}})
	if typing {
		lines = append(lines, "", strong.Render(" In a field"), "")
		add([]key{{"ctrl+u", "", "clear it"}, {"arrows", "", "move in it; home and end too"}})
	}
	lines = append(lines, m.words()...)
	const letters = "^e in the line of keys is ctrl+e: hold ctrl, and press e. A letter in brackets works " +
		"alone where nothing is typed into a field and the page has no other key with it."
	return append(append(lines, ""), para(past, " ", letters, m.box.page()-1)...)
}

// words are those of a plan, while people approve one.
func (m *model) words() (lines []string) {
	p, ok := m.ask.(*signPrompt)
	if !ok || p.q.Q.Purpose != engine.Approve {
		return nil
	}
	lines = append(lines, "", strong.Render(" Words of a plan"), "")
	for _, w := range text.Words {
		lines = append(lines, para(plain, fmt.Sprintf("   %-12s ", w[0]), w[1], m.box.page()-1)...)
	}
	return lines
}

// logHead is the width of a line's number and time in the log.
const logHead = 16

// log is the last events.
func (b box) log(v engine.View) []string {
	lines := []string{strong.Render(" The log so far, newest first, times in UTC"), ""}
	for i := len(v.Log) - 1; i >= 0; i-- {
		at := min(len(v.Log[i]), logHead)
		lines = append(lines, para(plain, " "+v.Log[i][:at], v.Log[i][at:], b.page()-1)...)
	}
	return lines
}
