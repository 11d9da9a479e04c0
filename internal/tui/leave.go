package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// leavePrompt is the last page.
type leavePrompt struct {
	q    room.Leave
	more bool // a rehearsal continues after this page
}

func (p *leavePrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok && key.String() == "enter" {
		p.q.Answer(struct{}{}, nil)
		return nil, true
	}
	return nil, false
}

func (p *leavePrompt) typing() bool { return false }

func (p *leavePrompt) due() string { return "write the digest down, then press Enter" }

func (p *leavePrompt) body(engine.View, box) []string { return nil }

func (p *leavePrompt) act(box) []string { return nil }

func (p *leavePrompt) keys() []key {
	leave := key{"enter", "close", "close this page: the ceremony is over"}
	if p.more {
		leave = key{"enter", "next ceremony", "close this page: the rehearsal continues"}
	}
	return []key{leave, aloudCommand.alone()}
}

func (p *leavePrompt) dismiss(err error) { p.q.Answer(struct{}{}, err) }
