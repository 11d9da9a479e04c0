package tui

import (
	"math"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// formPrompt is a huh form of one field. Enter, back and ctrl+c are the host's.
type formPrompt struct {
	q        room.Form
	form     *huh.Form
	input    *huh.Input
	value    string
	proposed bool // the value is what was proposed: typing replaces it
	edited   bool // since it was refused
}

func newFormPrompt(q room.Form) *formPrompt {
	p := &formPrompt{q: q, value: q.Q.Value, proposed: q.Q.Value != "" && q.Q.Refused == nil}
	f := q.Q.Field
	p.input = huh.NewInput().Title(f.Question).Description(f.Help).Prompt("> ").Value(&p.value)
	p.form = huh.NewForm(huh.NewGroup(p.input)).WithTheme(plainTheme()).WithShowHelp(false).WithShowErrors(false)
	return p
}

// replace has text take the place of a proposal: a PIN that is typed too early must
// not become the end of an answer. Any other key edits the proposal.
func (p *formPrompt) replace(key tea.KeyMsg) {
	if p.proposed && !key.Alt && (key.Type == tea.KeyRunes || key.Type == tea.KeySpace) {
		p.value = ""
		p.input.Value(&p.value)
	}
	p.proposed = false
}

// plainTheme has no border and no glyph beyond ASCII.
func plainTheme() *huh.Theme {
	t := huh.ThemeBase()
	plain := lipgloss.NewStyle()
	for _, f := range []*huh.FieldStyles{&t.Focused, &t.Blurred} {
		f.Base, f.Card = plain.PaddingLeft(1), plain.PaddingLeft(1)
		f.Title, f.Description = strong, past
		f.TextInput.Prompt = accent
	}
	return t
}

func (p *formPrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok {
		switch key.String() {
		case "enter": // at once: huh would take what is typed until its own messages come back
			p.q.Answer(p.value, nil)
			return nil, true
		case "esc":
			p.q.Answer(p.value, engine.ErrBack) // what was typed stands there again
			return nil, true
		case "ctrl+v", "tab", "shift+tab":
			return nil, false
		}
		p.replace(key)
		p.edited = true
	}
	next, cmd := p.form.Update(msg)
	if f, ok := next.(*huh.Form); ok {
		p.form = f
	}
	return cmd, false
}

// body shows what was answered on this page before.
func (p *formPrompt) body(v engine.View, width int) []string { return details(v, width-1) }

func (p *formPrompt) act(width int) []string {
	var lines []string
	if err := p.q.Q.Refused; err != nil && p.edited {
		lines = append(lines, past.Render(" before: "+err.Error()))
	} else if err != nil {
		lines = append(lines, alarm.Render(" refused: "+err.Error()))
	}
	width = min(width-2, 76)
	// A form looks how high it must be only when a window is resized, else it cuts
	// off its input where its help takes another line.
	_, _ = p.form.WithWidth(width).Update(tea.WindowSizeMsg{Width: width, Height: math.MaxInt})
	return append(lines, strings.Split(strings.TrimRight(p.form.View(), "\n "), "\n")...)
}

func (p *formPrompt) keys() string {
	if p.proposed {
		return "enter accept, or type another  esc back  ctrl+o log  ctrl+c stop"
	}
	return "enter answer  ctrl+u clear  esc back  ctrl+o log  ctrl+c stop"
}
func (p *formPrompt) dismiss(err error) { p.q.Answer("", err) }
