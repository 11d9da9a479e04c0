package tui

import (
	"fmt"
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
	typed  bool // the reason is being typed
}

func newChoosePrompt(q room.Choose) *choosePrompt {
	p := &choosePrompt{q: q, reason: textinput.New()}
	p.reason.Prompt = "> "
	p.reason.CharLimit = 200
	if q.Q.Refused != nil {
		p.typed = true
		p.reason.Focus()
	}
	return p
}

func (p *choosePrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	key, ok := msg.(tea.KeyMsg)
	if p.typed {
		return p.reasoning(msg, key.String())
	}
	if !ok {
		return nil, false
	}
	switch key.String() {
	case "r":
		p.q.Answer(engine.Choice{Retry: true}, nil)
		return nil, true
	case "d":
		if p.q.Q.Deviation != nil {
			p.typed = true
			return p.reason.Focus(), false
		}
	}
	return nil, false
}

// givesUp asks whether the ceremony is to stop at a step that failed, if the key is for that.
func (m *model) givesUp(key tea.KeyMsg) bool {
	p, ok := m.ask.(*choosePrompt)
	if !ok || p.typed || key.String() != "s" {
		return false
	}
	m.stopping = func() {
		p.q.Answer(engine.Choice{}, nil)
		m.ask = nil
	}
	return true
}

func (p *choosePrompt) reasoning(msg tea.Msg, key string) (tea.Cmd, bool) {
	switch key {
	case "esc":
		p.typed, p.q.Q.Refused = false, nil
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

func (p *choosePrompt) typing() bool { return p.typed }

// due says who must act, in few words.
func (p *choosePrompt) due() string {
	if p.typed {
		return "say why you continue"
	}
	return "decide how to continue"
}

func (p *choosePrompt) body(v engine.View, b box) []string { return b.probe(v) }

func (p *choosePrompt) act(b box) []string {
	lines := []string{" " + b.of(markBad) + alarm.Render(" "+text.Failed(p.q.Q)+": ") + p.q.Q.Err.Error()}
	for hint := range strings.Lines(p.q.Q.Hint) {
		lines = append(lines, para(plain, " Hint: ", strings.TrimSuffix(hint, "\n"), b.page()-1)...)
	}
	lines = append(lines, "")
	if err := p.q.Q.Refused; err != nil {
		lines = append(lines, alarm.Render(" refused: "+err.Error()))
	}
	if p.typed {
		return append(lines, " "+b.of(markNow)+accent.Render(" Why do you continue? ")+field(p.reason))
	}
	lines = append(lines, para(plain, " ", text.Advice(p.q.Q), b.page()-1)...)
	lines = append(lines, "", " "+b.of(markNow)+accent.Render(" Decide together:"))
	for _, k := range p.keys() {
		lines = append(lines, fmt.Sprintf("     %s  %s", accent.Render(k.name), k.help))
	}
	return lines
}

func (p *choosePrompt) keys() []key {
	if p.typed {
		return []key{{"enter", "continue", "continue with the deviation"}, {"esc", "back", "do not continue with it"}}
	}
	all := []key{{"r", "try again", "try the step again"}}
	if p.q.Q.Deviation != nil {
		all = append(all, key{"d", "continue", "continue with a deviation: its reason is recorded, and signed"})
	}
	return append(all, key{"s", "stop", "stop: the same command continues later"})
}

func (p *choosePrompt) dismiss(err error) { p.q.Answer(engine.Choice{}, err) }
