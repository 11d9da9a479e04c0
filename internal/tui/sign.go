package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

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
	later bool   // ctrl+n was pressed: really?
	kept  bool   // the word in the field was refused: typing replaces it
	early bool   // Enter came before the end of the page was in sight
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
	p.who, p.kept = old.who, old.kept
	p.input.SetValue(old.input.Value())
	p.input.CursorEnd()
}

// keep has a refused word stay in its field, and asks the same person: but nothing that may be a PIN.
func (p *signPrompt) keep(old *signPrompt) {
	p.adopt(old)
	p.later, p.kept = false, true
	if engine.IsPIN(engine.CheckText(p.word())) {
		p.input.Reset()
	}
}

// replace has what is typed take the place of a word that was refused. Any other key edits it.
func (p *signPrompt) replace(key tea.KeyMsg) {
	if p.kept && (key.Type == tea.KeyRunes || key.Type == tea.KeySpace) {
		p.input.Reset()
	}
	p.kept = false
}

// word is what was typed.
func (p *signPrompt) word() string { return strings.TrimSpace(p.input.Value()) }

func (p *signPrompt) enough() bool { return p.q.Q.Enough() }

func (p *signPrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok {
		if p.later {
			return nil, p.leave(key.String())
		}
		switch key.String() {
		case "tab":
			p.note = "" // it was of the other person's word
			p.who = text.Other(p.q.Q.Signers, p.who)
			p.input.Reset()
			return nil, false
		case offlineCommand.ctrl():
			if p.who < 0 {
				return nil, false
			}
			p.q.Answer(engine.Consent{Signer: p.q.Q.Signers[p.who].Name, Word: p.word(), Offline: true}, nil)
			return nil, true
		case laterCommand.ctrl():
			p.later = !p.enough()
			return nil, false
		case "ctrl+v":
			return nil, false
		case "enter":
			return nil, p.enter()
		}
		p.note = ""
		p.replace(key)
	}
	if p.who < 0 { // nothing is in sight to type into
		return nil, false
	}
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(msg)
	return cmd, false
}

// leave ends the run when somebody pressed ctrl+n and means it.
func (p *signPrompt) leave(key string) bool {
	p.later = false
	if key != "y" && key != laterCommand.ctrl() {
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

func (p *signPrompt) typing() bool { return true }

// words reports whether the page begins with the words of which each person signs one.
func (p *signPrompt) words() bool {
	return !p.later && len(p.q.Q.Undecided) == 0 && len(text.Verdicts(p.q.Q)) > 0
}

// copied reports whether a line of the page is to be copied to a shell.
func (p *signPrompt) copied() bool {
	_, commands := text.Offline(p.q.Q)
	return len(commands)+len(p.q.Q.Undecided) > 0
}

func (p *signPrompt) body(v engine.View, b box) (lines []string) {
	r := p.q.Q
	if p.later {
		question, says := text.Later(v, r)
		lines = append(lines, " "+strong.Render(question), "")
		for _, line := range says {
			lines = append(lines, para(plain, " ", line, b.page()-1)...)
		}
		return lines
	}
	for _, line := range text.Decide(r) {
		if shell := strings.HasPrefix(line, "  "); shell {
			lines = append(lines, " "+accent.Render(line))
		} else {
			lines = append(lines, para(alarm, " ", line, b.page()-1)...)
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	verdicts := text.Verdicts(r)
	for _, v := range verdicts {
		lines = append(lines, para(plain, "   "+v[0], v[1], b.page()-1)...)
	}
	if len(verdicts) > 0 {
		lines = append(lines, "")
	}
	if r.Warning != "" {
		lines = append(append(lines, para(alarm, " Note   ", r.Warning, b.page()-1)...), "")
	}
	lines = append(lines, b.did(r)...)
	if b.fold < foldEarlier {
		lines = append(lines, b.earlier(r)...)
	}
	lines = append(lines, b.plan(r)...)
	if b.fold >= foldSigners {
		lines = append(lines, elsewhere(r, b.page()-1)...)
	}
	return lines
}

func (p *signPrompt) act(b box) []string {
	r := p.q.Q
	if p.later {
		return []string{" " + b.of(markNow) + alarm.Render(" "+laterQuestion)}
	}
	var lines []string
	if b.fold < foldSigners {
		lines = elsewhere(r, b.page()-1)
	}
	lines = append(lines, p.standing())
	switch {
	case b.unseen && p.early:
		lines = append(lines, para(alarm, " ", "Not taken yet. "+readFirst, b.page()-1)...)
	case b.unseen && (p.enough() || p.who >= 0):
		lines = append(lines, para(pending, " ", readFirst, b.page()-1)...)
	}
	if p.who >= 0 {
		lines = append(lines, " "+b.of(markNow)+accent.Render(wanted(r, r.Signers[p.who]))+field(p.input))
	}
	if p.note != "" {
		lines = append(lines, alarm.Render(" refused: "+p.note))
		if strings.HasPrefix(p.note, "not the word") && text.Other(r.Signers, p.who) != p.who {
			lines = append(lines, " tab: somebody else signs first.")
		}
	}
	return lines
}

// due says who must act, in few words.
func (p *signPrompt) due() string {
	switch {
	case p.enough():
		return "press Enter to continue"
	case len(p.q.Q.Undecided) > 0:
		return text.Undecided(p.q.Q) + ": decide which word holds"
	case p.who < 0:
		return fmt.Sprintf("%d signatures from elsewhere", p.q.Q.Need-p.q.Q.Have())
	}
	s := p.q.Q.Signers[p.who]
	return s.Name + ": type " + s.Word()
}

// wanted says what a person is to do now.
func wanted(r engine.Request, s engine.Signer) string {
	return " " + text.Wanted(r, s, offlineCommand.ctrl()+" to sign offline", "type %s, then "+offlineCommand.ctrl()) + " "
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

// readFirst is said as long as the end of the page was not in sight.
const readFirst = "Read the rest first, with pgdn."

// laterQuestion is asked after ctrl+n.
const laterQuestion = "Press y to end this run, any other key to stay."

func (p *signPrompt) keys() (all []key) {
	if p.who >= 0 && !p.enough() {
		all = append(all, key{"enter", "sign", "sign with the word that was typed; Enter alone never signs"})
	}
	if p.who >= 0 {
		all = append(all, key{"tab", "next", "ask the next person"},
			offlineCommand.key())
	} else if !p.enough() {
		all = append(all, key{"tab", "sign here after all", "ask somebody here whose statement waits elsewhere"})
	}
	if _, digest := text.Digest(p.q.Q); digest != "" {
		all = append(all, aloudCommand.key())
	}
	if p.q.Q.Text != "" {
		all = append(all, planCommand.key())
	}
	if len(p.q.Q.Earlier) > 0 {
		all = append(all, earlierCommand.key())
	}
	if p.enough() {
		enter := key{"enter", "continue", "continue: enough have signed"}
		if p.who >= 0 {
			enter = key{"enter", "continue", "continue: enough have signed; with the word typed, sign as well"}
		}
		return append([]key{enter}, all...)
	}
	return append(all, laterCommand.key())
}

func (p *signPrompt) dismiss(err error) { p.q.Answer(engine.Consent{}, err) }
