package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// seen is how far the page of a request for signatures was in sight, from its beginning on.
type seen struct {
	of    engine.Request
	width int  // of the screen: at another one the lines are others
	to    int  // lines of the body
	whole bool // to its end
}

// sees notes what was drawn of a page of signatures that nothing covers.
func (m *model) sees() {
	s, ok := m.ask.(*signPrompt)
	if !ok || s.later || m.over != overNothing || m.reading || m.reporting() || m.gate.shut {
		return
	}
	n := &m.seen
	if !text.Same(n.of, s.q.Q) || n.width != m.width && !n.whole {
		*n = seen{of: s.q.Q, width: m.width}
	}
	if m.from() <= n.to {
		n.to = max(n.to, m.from()+m.rows)
	}
	n.whole = n.whole || n.to >= m.lines
}

// sawAll reports whether all of the page of signatures was in sight.
func (m *model) sawAll() bool {
	s, ok := m.ask.(*signPrompt)
	return ok && m.seen.whole && text.Same(m.seen.of, s.q.Q)
}

// readsFirst refuses a word, or the Enter that goes on, as long as the end of the page was not in sight:
// nobody signs a text, and nothing is done, that is not on the screen. The word stays in its field.
func (m *model) readsFirst(key tea.KeyMsg) bool {
	s, ok := m.ask.(*signPrompt)
	if !ok || s.later || key.String() != "enter" || m.sawAll() || s.word() == "" && !s.enough() {
		return false
	}
	if s.early = true; m.rows < 1 {
		s.note = "the screen is too small to read the page: enlarge it"
	}
	return true
}
