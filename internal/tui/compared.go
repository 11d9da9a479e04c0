package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// compared says what became of a person's comparison.
type compared struct {
	engine.Comparison
	err error
}

// reads opens the page on which a digest is read aloud, if the key asks for it.
func (m *model) reads(k tea.KeyMsg) (cmd tea.Cmd, ok bool) {
	if !m.pressed(aloudCommand, k) || m.view.Replay {
		return nil, false
	}
	a := aloudOf(m.view, m.ask)
	if a == nil {
		return nil, false
	}
	if m.read != nil && m.read.digest == a.digest { // it was opened before
		a.said = m.read.said
	}
	for i, name := range a.people {
		if !a.said[name] {
			a.at = i
			break
		}
	}
	m.read, m.reading, m.scroll = a, true, 0
	return m.gate.shutFor(), true
}

// toAloud takes a key of the page on which a digest is read aloud.
func (m *model) toAloud(k tea.KeyMsg) tea.Cmd {
	a := m.read
	switch name := k.String(); {
	case name == "esc", name == "enter" && !a.open():
		m.reading = false
		return m.gate.shutFor() // the page below takes no key of somebody who types on
	case name == "tab":
		a.next()
	case (name == "y" || name == "n") && a.open():
		said := engine.Comparison{Digest: a.digest, By: a.people[a.at], Matches: name == "y"}
		came := m.room.Remark(said)
		return func() tea.Msg { return compared{said, <-came} }
	}
	return nil
}
