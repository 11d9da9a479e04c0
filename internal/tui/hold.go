package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// holdPrompt is a page that stays until somebody has read it.
type holdPrompt struct{ q room.Hold }

func (p *holdPrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok && key.String() == "enter" {
		p.q.Answer(struct{}{}, nil)
		return nil, true
	}
	return nil, false
}

func (p *holdPrompt) typing() bool { return false }

func (p *holdPrompt) due() string { return "read what was found, then press Enter" }

// body has the verdicts before what they are about.
func (p *holdPrompt) body(v engine.View, b box) (lines []string) {
	for _, part := range [][]string{b.probe(v), b.fleet(v), b.details(v)} {
		if len(part) > 0 {
			lines = append(append(lines, part...), "")
		}
	}
	return lines
}

func (p *holdPrompt) act(b box) []string {
	says := text.Read
	if b.unseen {
		says = text.ReadOn
	}
	return []string{" " + b.of(markNow) + " " + accent.Render(says)}
}

func (p *holdPrompt) keys() []key {
	return []key{{"enter", "continue", "continue: everybody has read this page"}}
}

func (p *holdPrompt) dismiss(err error) { p.q.Answer(struct{}{}, err) }

// readsOn has Enter scroll a page that waits until it was read, as long as its end is out of sight.
func (m *model) readsOn(key tea.KeyMsg) bool {
	_, held := m.ask.(*holdPrompt)
	if !held || key.String() != "enter" || !m.unseen() {
		return false
	}
	m.scrollBy(max(1, m.rows-1))
	return true
}
