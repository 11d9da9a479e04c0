package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// leavePrompt is the last page.
type leavePrompt struct{ q room.Leave }

func (p *leavePrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok && key.String() == "enter" {
		p.q.Answer(struct{}{}, nil)
		return nil, true
	}
	return nil, false
}

func (p *leavePrompt) body(engine.View, int) []string { return nil }

func (p *leavePrompt) act(int) []string { return nil }

func (p *leavePrompt) keys() string { return "enter close   ctrl+o log" }

func (p *leavePrompt) dismiss(err error) { p.q.Answer(struct{}{}, err) }
