package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// signPrompt shows who must sign and takes one person's typed word.
type signPrompt struct {
	q     room.Consent
	input textinput.Model
	who   int    // index of the person whose word is awaited; -1: nobody's on this console
	note  string // why the last word was not taken
	later bool   // ctrl+d was pressed: really?
}

func newSignPrompt(q room.Consent) *signPrompt {
	p := &signPrompt{q: q, input: textinput.New(), who: -1, note: q.Q.Note}
	p.input.Prompt = "> "
	p.input.CharLimit = 64
	p.next()
	return p
}

// next goes to the next person who is asked.
func (p *signPrompt) next() { p.who = text.Next(p.q.Q.Signers, p.who) }

// continues reports whether one of the prompts before was on the same page.
func (p *signPrompt) continues(before ...*signPrompt) bool {
	return slices.ContainsFunc(before, func(old *signPrompt) bool {
		return old != nil && text.Same(old.q.Q, p.q.Q)
	})
}

// adopt takes over what was being typed when an offline signature came in.
func (p *signPrompt) adopt(old *signPrompt) {
	p.later = old.later && !p.enough()
	if !p.continues(old) || old.who < 0 || old.who >= len(p.q.Q.Signers) || p.q.Q.Signers[old.who].Signed {
		return
	}
	p.who = old.who
	p.input.SetValue(old.input.Value())
	p.input.CursorEnd()
}

// word is what was typed.
func (p *signPrompt) word() string { return strings.TrimSpace(p.input.Value()) }

func (p *signPrompt) enough() bool { return text.Enough(p.q.Q) }

func (p *signPrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok {
		if p.later {
			return nil, p.leave(key.String())
		}
		switch key.String() {
		case "tab":
			p.who = text.Other(p.q.Q.Signers, p.who)
			p.input.Reset()
			return nil, false
		case "ctrl+e":
			if p.who < 0 {
				return nil, false
			}
			p.q.Answer(engine.Consent{Signer: p.q.Q.Signers[p.who].Name, Word: p.word(), Offline: true}, nil)
			return nil, true
		case "ctrl+d":
			p.later = !p.enough()
			return nil, false
		case "ctrl+v":
			return nil, false
		case "enter":
			return nil, p.enter()
		}
		p.note = ""
	}
	if p.who < 0 { // nothing is in sight to type into
		return nil, false
	}
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	return cmd, false
}

// leave ends the run when somebody pressed ctrl+d and means it.
func (p *signPrompt) leave(key string) bool {
	p.later = false
	if key != "y" && key != "ctrl+d" {
		return false
	}
	p.q.Answer(engine.Consent{}, engine.ErrLater)
	return true
}

func (p *signPrompt) enter() bool {
	word := p.word()
	switch {
	case word == "" && p.enough():
		p.q.Answer(engine.Consent{}, engine.ErrEnough)
		return true
	case word == "" || p.who < 0:
		p.note = "Enter alone does not sign"
		return false
	}
	p.q.Answer(engine.Consent{Signer: p.q.Q.Signers[p.who].Name, Word: word}, nil)
	return true
}

func (p *signPrompt) body(_ engine.View, width int) []string {
	r := p.q.Q
	lines := slices.Concat(doneLines(r, width), earlierLines(r, width), planLines(r, width))
	if r.Warning != "" {
		lines = append(append(para(alarm, " Note   ", r.Warning, width), ""), lines...)
	}
	for i, s := range r.Signers {
		lines = append(lines, signerLine(r, s, i == p.who))
	}
	return lines
}

func (p *signPrompt) act(width int) []string {
	r := p.q.Q
	lines := append(elsewhere(r, width), p.standing())
	if p.note != "" {
		lines = append(lines, alarm.Render(" refused: "+p.note))
	}
	if p.who < 0 {
		return lines
	}
	return append(lines, accent.Render(wanted(r, r.Signers[p.who]))+p.input.View())
}

// wanted says what a person is to do now.
func wanted(r engine.Request, s engine.Signer) string {
	return " " + text.Wanted(r, s, "ctrl+e to sign offline", "type %s, then ctrl+e") + " "
}

// standing says how many have signed and what is still needed, or how the page ends.
func (p *signPrompt) standing() string {
	line := " " + text.Standing(p.q.Q)
	switch {
	case !p.enough():
		return line
	case p.who < 0:
		return line + accent.Render(" Press Enter to continue.")
	}
	return line + accent.Render(" Press Enter to continue") + ", or sign as well."
}

// elsewhere shows where the statements are that wait for an offline signature, and
// how to sign them.
func elsewhere(r engine.Request, width int) []string {
	before, commands := text.Offline(r)
	if len(commands) == 0 {
		return nil
	}
	lines := []string{" " + before, " " + r.Dir}
	for _, c := range commands {
		head := " " + c[0] + ": "
		for i, part := range text.Command(c[1], width-len(head)) {
			if i > 0 {
				head = strings.Repeat(" ", len(head))
			}
			lines = append(lines, accent.Render(head)+part)
		}
	}
	return lines
}

func planLines(r engine.Request, width int) []string {
	var lines []string
	for _, e := range text.Plan(r) {
		lines = append(lines, "   "+e[0], past.Render("                "+e[1]))
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	label, digest := text.Digest(r)
	if label == "" {
		return lines
	}
	label = fmt.Sprintf(" %-6s ", label)
	for i, g := range text.Groups(digest, width) {
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		lines = append(lines, label+g)
	}
	return append(lines, "")
}

// doneLines are what the ceremony did.
func doneLines(r engine.Request, width int) (lines []string) {
	for _, s := range r.Done {
		lines = append(lines, para(lipgloss.NewStyle(), " ", s, width)...)
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return lines
}

// earlierLines are what the people of an earlier run answered.
func earlierLines(r engine.Request, width int) (lines []string) {
	if len(r.Earlier) == 0 {
		return nil
	}
	lines = append(lines, " "+text.Earlier)
	for _, s := range r.Earlier {
		head, value := text.Detail(s.Name, s.Value)
		lines = append(lines, para(past, " "+head, value, width)...)
	}
	return append(lines, "")
}

// signerLine shows where a person stands; now: their word is awaited.
func signerLine(r engine.Request, s engine.Signer, now bool) string {
	mark := text.Mark(r, s, now)
	if now || s.Offline != "" && !s.Signed {
		mark = accent.Render(mark)
	}
	return " " + mark + " " + text.Signer(r, s)
}

func (p *signPrompt) keys() string {
	switch {
	case p.later:
		return alarm.Render("Sign later? The run ends; rerun the same command.  y end  any other key: stay")
	case p.who < 0 && p.enough():
		return "enter continue  ctrl+o log  ctrl+c stop"
	case p.who < 0:
		return "tab sign here after all  ctrl+d later  ctrl+o log  ctrl+c stop"
	case p.enough():
		return "enter sign or continue  tab next  ctrl+e offline  ctrl+o log  ctrl+c stop"
	}
	return "enter sign  tab next  ctrl+e offline  ctrl+d later  ctrl+o log  ctrl+c stop"
}

func (p *signPrompt) dismiss(err error) { p.q.Answer(engine.Consent{}, err) }
