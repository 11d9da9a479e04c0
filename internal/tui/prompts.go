package tui

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/steps"
)

// formPrompt is a huh form of one group. Back, help and ctrl+c are the host's.
type formPrompt struct {
	q       formQuestion
	form    *huh.Form
	answers map[string]*string
}

func newFormPrompt(q formQuestion) *formPrompt {
	p := &formPrompt{q: q, answers: map[string]*string{}}
	var fields []huh.Field
	for _, f := range q.q.Fields {
		var value string
		p.answers[f.Name] = &value
		fields = append(fields, huh.NewInput().Title(f.Question).Description(f.Help).Prompt("> ").Value(&value))
	}
	p.form = huh.NewForm(huh.NewGroup(fields...)).WithTheme(plainTheme()).WithShowHelp(false).WithShowErrors(false)
	return p
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
		case "esc":
			p.q.answer(nil, steps.ErrBack)
			return nil, true
		case "ctrl+v", "shift+tab":
			return nil, false
		}
	}
	next, cmd := p.form.Update(msg)
	if f, ok := next.(*huh.Form); ok {
		p.form = f
	}
	if p.form.State != huh.StateCompleted {
		return cmd, false
	}
	answers := map[string]string{}
	for name, value := range p.answers {
		answers[name] = *value
	}
	p.q.answer(answers, nil)
	return nil, true
}

// body shows what was answered on this page before.
func (p *formPrompt) body(v steps.View, width int) []string { return details(v, width-1) }

func (p *formPrompt) act(width int) []string {
	var lines []string
	if p.q.q.note != "" {
		lines = append(lines, alarm.Render(" refused: "+p.q.q.note))
	}
	width = min(width-2, 76)
	// A form looks how high it must be only when a window is resized, else it cuts
	// off its input where its help takes another line.
	_, _ = p.form.WithWidth(width).Update(tea.WindowSizeMsg{Width: width, Height: math.MaxInt})
	return append(lines, strings.Split(strings.TrimRight(p.form.View(), "\n "), "\n")...)
}

func (p *formPrompt) keys() string      { return "enter answer   esc back   ctrl+o log   ctrl+c stop" }
func (p *formPrompt) dismiss(err error) { p.q.answer(nil, err) }

// signPrompt shows who must sign and takes one person's typed word.
type signPrompt struct {
	q     consentQuestion
	input textinput.Model
	who   int // index of the person whose word is awaited
	note  string
}

func newSignPrompt(q consentQuestion) *signPrompt {
	p := &signPrompt{q: q, input: textinput.New(), who: -1, note: q.q.Note}
	p.input.Prompt = "> "
	p.input.CharLimit = 64
	p.next()
	return p
}

// next goes to the next person who is asked: first to those whose key is here,
// then to those who sign elsewhere.
func (p *signPrompt) next() {
	n := len(p.q.q.Signers)
	asked := func(s steps.Signer) bool { return s.Asked && !s.Signed && s.Elsewhere == "" }
	for _, ok := range []func(steps.Signer) bool{
		func(s steps.Signer) bool { return asked(s) && (s.Key != "" || p.who >= 0) },
		asked,
	} {
		for i := 1; i <= n; i++ {
			if at := (p.who + i) % n; ok(p.q.q.Signers[at]) {
				p.who = at
				return
			}
		}
	}
}

// adopt takes over what was being typed when a signature from elsewhere came in.
func (p *signPrompt) adopt(old *signPrompt) {
	if old.q.q.Digest != p.q.q.Digest || old.who < 0 || old.who >= len(p.q.q.Signers) || p.q.q.Signers[old.who].Signed {
		return
	}
	p.who = old.who
	p.input.SetValue(old.input.Value())
	p.input.CursorEnd()
}

func (p *signPrompt) enough() bool { return p.q.q.Have() >= p.q.q.Need }

func (p *signPrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok {
		switch key.String() {
		case "tab":
			p.next()
			p.input.Reset()
			return nil, false
		case "ctrl+e":
			if p.who < 0 {
				return nil, false
			}
			p.q.answer(steps.Consent{Signer: p.q.q.Signers[p.who].Name, Word: strings.TrimSpace(p.input.Value()), Elsewhere: true}, nil)
			return nil, true
		case "ctrl+d":
			p.q.answer(steps.Consent{}, steps.ErrLater)
			return nil, true
		case "ctrl+v":
			return nil, false
		case "enter":
			return nil, p.enter()
		}
	}
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	return cmd, false
}

func (p *signPrompt) enter() bool {
	word := strings.TrimSpace(p.input.Value())
	switch {
	case word == "" && p.enough():
		p.q.answer(steps.Consent{}, steps.ErrEnough)
		return true
	case word == "" || p.who < 0:
		p.note = "enter alone signs nothing"
		return false
	}
	p.q.answer(steps.Consent{Signer: p.q.q.Signers[p.who].Name, Word: word}, nil)
	return true
}

func (p *signPrompt) body(_ steps.View, width int) []string {
	r := p.q.q
	lines := planLines(r, width)
	for i, s := range r.Signers {
		lines = append(lines, signerLine(s, i == p.who, r.Purpose == quorum.Attend || r.Purpose == quorum.Join))
	}
	return lines
}

func (p *signPrompt) act(int) []string {
	r := p.q.q
	var lines []string
	if p.enough() {
		lines = append(lines, fmt.Sprintf(" %d have signed, %d are needed. Enter alone goes on without the others.", r.Have(), r.Need))
	}
	if p.note != "" {
		lines = append(lines, alarm.Render(" refused: "+p.note))
	}
	lines = append(lines, elsewhere(r)...)
	if p.who < 0 {
		return lines
	}
	return append(lines, accent.Render(wanted(r, r.Signers[p.who]))+p.input.View())
}

// wanted says what a person is to do now.
func wanted(r steps.Request, s steps.Signer) string {
	words := strings.Join(r.Word(s.Name), ", ")
	switch {
	case s.Key != "":
		return fmt.Sprintf(" %s: type %s to sign ", s.Name, words)
	case r.Purpose == quorum.Final:
		return fmt.Sprintf(" %s: key not here; type %s, then ctrl+e ", s.Name, words)
	}
	return fmt.Sprintf(" %s: key not here; ctrl+e to sign elsewhere ", s.Name)
}

// elsewhere shows where the statements lie that are signed elsewhere, and how.
func elsewhere(r steps.Request) (lines []string) {
	for _, s := range r.Signers {
		if s.Elsewhere != "" {
			lines = append(lines, accent.Render(" "+s.Name+": ")+s.Elsewhere)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return append([]string{" Signed elsewhere, taken as soon as the .sig lies beside it, in", " " + r.Laid}, lines...)
}

func planLines(r steps.Request, width int) []string {
	var lines []string
	for i, e := range r.Plan {
		line := fmt.Sprintf("   %d  %-9s %s", i+1, e.Verb, e.Object)
		if e.Estimate != "" {
			line += "  ~" + e.Estimate
		}
		lines = append(lines, line, past.Render("                undo: "+e.Undo))
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	label, digest := map[quorum.Purpose]string{quorum.Approve: " Plan   ", quorum.Final: " Final  "}[r.Purpose], r.Digest
	if r.Last != "" {
		label, digest = " Last   ", r.Last
	}
	if label == "" {
		return lines
	}
	for i, g := range groups(digest, width) {
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		lines = append(lines, label+g)
	}
	return append(lines, "")
}

// signerLine shows a whole fingerprint where people compare it: at attendance.
func signerLine(s steps.Signer, now, whole bool) string {
	mark := "[      ]"
	switch {
	case s.Signed:
		mark = "[signed]"
	case !s.Asked:
		mark = "[   -  ]"
	case s.Elsewhere != "":
		mark = accent.Render("[>>    ]")
	case now:
		mark = accent.Render("[needed]")
	case s.Key == "":
		mark = "[absent]"
	}
	key := s.Fingerprint
	if short := len("SHA256:") + 16; !whole && len(key) > short {
		key = key[:short] + "..."
	}
	line := fmt.Sprintf(" %s %-8s %s", mark, s.Name, key)
	switch {
	case s.At != "":
		line += "  " + s.At
	case s.Elsewhere != "":
		line += "  elsewhere"
	case s.Key == quorum.InAgent:
		line += "  " + s.Key
	}
	return line
}

func (p *signPrompt) keys() string {
	return "enter sign  tab next  ctrl+e elsewhere  ctrl+d later  ctrl+c stop"
}
func (p *signPrompt) dismiss(err error) { p.q.answer(steps.Consent{}, err) }

// leavePrompt is the last page.
type leavePrompt struct{ q leaveQuestion }

func (p *leavePrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok && key.String() == "enter" {
		p.q.answer(struct{}{}, nil)
		return nil, true
	}
	return nil, false
}

func (p *leavePrompt) body(steps.View, int) []string { return nil }
func (p *leavePrompt) act(int) []string              { return nil }
func (p *leavePrompt) keys() string                  { return "enter close   ctrl+o log" }
func (p *leavePrompt) dismiss(err error)             { p.q.answer(struct{}{}, err) }
