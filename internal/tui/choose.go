package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// choosePrompt is a step that failed. Of a deviation the reason to continue is typed.
type choosePrompt struct {
	q      room.Choose
	reason textinput.Model
	typing bool
}

func newChoosePrompt(q room.Choose) *choosePrompt {
	p := &choosePrompt{q: q, reason: textinput.New()}
	p.reason.Prompt = "> "
	p.reason.CharLimit = 200
	if q.Q.Refused != nil {
		p.typing = true
		p.reason.Focus()
	}
	return p
}

func (p *choosePrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	key, ok := msg.(tea.KeyMsg)
	if p.typing {
		return p.reasoning(msg, key.String())
	}
	if !ok {
		return nil, false
	}
	switch key.String() {
	case "r", "s":
		p.q.Answer(engine.Choice{Retry: key.String() == "r"}, nil)
		return nil, true
	case "d":
		if p.q.Q.Deviation != nil {
			p.typing = true
			return p.reason.Focus(), false
		}
	}
	return nil, false
}

func (p *choosePrompt) reasoning(msg tea.Msg, key string) (tea.Cmd, bool) {
	switch key {
	case "esc":
		p.typing = false
		return nil, false
	case "ctrl+v":
		return nil, false
	case "enter":
		if why := strings.TrimSpace(p.reason.Value()); why != "" {
			p.q.Answer(engine.Choice{Decided: why}, nil)
			return nil, true
		}
		return nil, false
	}
	var cmd tea.Cmd
	p.reason, cmd = p.reason.Update(msg)
	return cmd, false
}

func (p *choosePrompt) body(v engine.View, width int) []string { return probe(v, width) }

func (p *choosePrompt) act(int) []string {
	lines := []string{alarm.Render(" Refused: ") + p.q.Q.Err.Error(), ""}
	if err := p.q.Q.Refused; err != nil {
		lines = append(lines, alarm.Render(" refused: reason: "+err.Error()))
	}
	if p.typing {
		return append(lines, accent.Render(" Why do you continue? ")+p.reason.View())
	}
	for _, line := range text.Advice(p.q.Q) {
		lines = append(lines, " "+line)
	}
	return lines
}

func (p *choosePrompt) keys() string {
	switch {
	case p.typing:
		return "enter continue   esc back"
	case p.q.Q.Deviation != nil:
		return "r try again   d deviation   s stop   ctrl+o log"
	}
	return "r try again   s stop   ctrl+o log"
}

func (p *choosePrompt) dismiss(err error) { p.q.Answer(engine.Choice{}, err) }
