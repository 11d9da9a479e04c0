package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// choosePrompt is a step that failed. Of a deviation the reason to continue is typed.
type choosePrompt struct {
	q      chooseQuestion
	reason textinput.Model
	typing bool
}

func newChoosePrompt(q chooseQuestion) *choosePrompt {
	p := &choosePrompt{q: q, reason: textinput.New()}
	p.reason.Prompt = "> "
	p.reason.CharLimit = 200
	if q.q.Refused != nil {
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
		p.q.answer(engine.Choice{Retry: key.String() == "r"}, nil)
		return nil, true
	case "d":
		if p.q.q.Deviation != nil {
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
			p.q.answer(engine.Choice{Decided: why}, nil)
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
	lines := []string{alarm.Render(" Refused: ") + p.q.q.Err.Error(), ""}
	if err := p.q.q.Refused; err != nil {
		lines = append(lines, alarm.Render(" refused: reason: "+err.Error()))
	}
	switch {
	case p.typing:
		return append(lines, accent.Render(" Why do you continue? ")+p.reason.View())
	case p.q.q.Changed:
		return append(lines, " Nothing is written yet. To begin again with what is there now, stop, and run",
			" kekceremony abort. To continue with what this ceremony began with, report a",
			" deviation: your reason is recorded, and is part of what you sign.")
	case p.q.q.Deviation != nil:
		return append(lines, " This is in the transcript. Try the step again, stop, or continue with a",
			" deviation: your reason is recorded, and is part of what you sign.")
	}
	if p.q.q.Lost {
		return append(lines, " This is in the transcript, and nothing is lost. Reconnect the token if it was",
			" removed. Try again (PIN and probe first), or stop and rerun the command.")
	}
	return append(lines, " This is in the transcript. Try again, or stop and rerun the command later.")
}

func (p *choosePrompt) keys() string {
	switch {
	case p.typing:
		return "enter continue   esc back"
	case p.q.q.Deviation != nil:
		return "r try again   d deviation   s stop   ctrl+o log"
	}
	return "r try again   s stop   ctrl+o log"
}

func (p *choosePrompt) dismiss(err error) { p.q.answer(engine.Choice{}, err) }
