package tui

import (
	"math"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// formPrompt is a huh form of one field. Enter, back and ctrl+c are the host's.
type formPrompt struct {
	q        room.Form
	form     *huh.Form
	input    *huh.Input
	value    string
	proposed bool // the value is what was proposed: typing replaces it
	edited   bool // since it was refused
	moved    bool // the cursor is perhaps not at the end
	nowhere  bool // esc was pressed, and there is nothing to go back to
}

func newFormPrompt(q room.Form) *formPrompt {
	p := &formPrompt{q: q, value: q.Q.Value, proposed: q.Q.Value != "" && q.Q.Refused == nil}
	f := q.Q.Field
	whole := strings.NewReplacer("-", unbroken)
	p.input = huh.NewInput().Title(whole.Replace(f.Question)).Description(whole.Replace(f.Help))
	p.input = p.input.Prompt("> ").Value(&p.value)
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
		p.nowhere = false
		switch key.String() {
		case "enter": // at once: huh would take what is typed until its own messages come back
			p.q.Answer(p.value, nil)
			return nil, true
		case "esc":
			if p.nowhere = p.q.Q.First; p.nowhere {
				return nil, false
			}
			p.q.Answer(p.value, engine.ErrBack) // what was typed stands there again
			return nil, true
		case "ctrl+v", "tab", "shift+tab", "ctrl+z", "ctrl+s", "ctrl+q": // a proposal stays one
			return nil, false
		}
		p.replace(key)
		p.edited = true
		switch key.Type {
		case tea.KeyLeft, tea.KeyHome, tea.KeyCtrlA, tea.KeyCtrlB:
			p.moved = true
		case tea.KeyEnd:
			p.moved = false
		}
	}
	next, cmd := p.form.Update(msg)
	if f, ok := next.(*huh.Form); ok {
		p.form = f
	}
	return cmd, false
}

func (p *formPrompt) typing() bool { return true }

// due says who must act, in few words.
func (p *formPrompt) due() string { return "answer \"" + p.q.Q.Field.Question + "\"" }

// body shows what was answered on this page before.
func (p *formPrompt) body(v engine.View, b box) []string { return b.details(v) }

func (p *formPrompt) act(b box) []string {
	var lines []string
	if refused := p.q.Q.Refused != nil; refused && p.edited {
		lines = append(lines, past.Render(" before: "+text.Refused(p.q.Q)))
	} else if refused {
		lines = append(lines, alarm.Render(" refused: "+text.Refused(p.q.Q)))
	}
	// A form looks how high it must be only when a window is resized, else it cuts
	// off its input where its help takes another line.
	_, _ = p.form.WithWidth(min(b.page()-7, maxField)).Update(tea.WindowSizeMsg{Width: b.page(), Height: math.MaxInt})
	view := strings.ReplaceAll(p.form.View(), unbroken, "-")
	asked := strings.Split(strings.TrimRight(view, "\n "), "\n")
	for i, line := range asked {
		head := " " + b.of(markNow)
		if i > 0 {
			head = strings.Repeat(" ", ansi.StringWidth(head))
		}
		asked[i] = head + line
	}
	lines = append(lines, asked...)
	if last := len(lines) - 1; lipgloss.ColorProfile() == termenv.Ascii && !p.moved { // else nothing shows the cursor
		lines[last] = strings.TrimRight(lines[last], " ") + " _"[min(1, len(p.value)):]
	}
	if p.nowhere {
		lines = append(lines, para(alarm, " ", text.NothingBefore+" Enter answers it, ctrl+c stops.", b.page()-1)...)
	}
	return lines
}

// unbroken stands for a hyphen while a form is laid out, which would break a line behind one. readable
// takes it out of whatever people type.
const unbroken = "\ue000"

// maxField is the widest a question becomes.
const maxField = 76

func (p *formPrompt) keys() []key {
	enter := key{"enter", "answer", "answer with what stands in the field"}
	if p.proposed {
		enter = key{"enter", "accept, or type another", "accept what is proposed; typing replaces it"}
	}
	if p.q.Q.First {
		return []key{enter}
	}
	return []key{enter, {"esc", "back", "go to the question before"}}
}

func (p *formPrompt) dismiss(err error) { p.q.Answer("", err) }
