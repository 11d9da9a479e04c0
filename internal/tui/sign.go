package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// signPrompt shows who must sign and takes one person's typed word.
type signPrompt struct {
	q     consentQuestion
	input textinput.Model
	who   int    // index of the person whose word is awaited; -1: nobody's on this console
	note  string // why the last word was not taken
	later bool   // ctrl+d was pressed: really?
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
	asked := func(s engine.Signer) bool { return s.Asked && !s.Signed && s.Offline == "" }
	for _, ok := range []func(engine.Signer) bool{
		func(s engine.Signer) bool { return asked(s) && (s.Key != "" || p.who >= 0) },
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

// continues reports whether one of the prompts before was on the same page.
func (p *signPrompt) continues(before ...*signPrompt) bool {
	return slices.ContainsFunc(before, func(old *signPrompt) bool {
		return old != nil && old.q.q.Purpose == p.q.q.Purpose && old.q.q.Digest == p.q.q.Digest
	})
}

// adopt takes over what was being typed when an offline signature came in.
func (p *signPrompt) adopt(old *signPrompt) {
	p.later = old.later && !p.enough()
	if !p.continues(old) || old.who < 0 || old.who >= len(p.q.q.Signers) || p.q.q.Signers[old.who].Signed {
		return
	}
	p.who = old.who
	p.input.SetValue(old.input.Value())
	p.input.CursorEnd()
}

// word is what was typed.
func (p *signPrompt) word() string { return strings.TrimSpace(p.input.Value()) }

func (p *signPrompt) enough() bool { return p.q.q.Have() >= p.q.q.Need }

func (p *signPrompt) update(msg tea.Msg) (tea.Cmd, bool) {
	if key, ok := msg.(tea.KeyMsg); ok {
		if p.later {
			return nil, p.leave(key.String())
		}
		switch key.String() {
		case "tab":
			p.next()
			p.input.Reset()
			return nil, false
		case "ctrl+e":
			if p.who < 0 {
				return nil, false
			}
			p.q.answer(engine.Consent{Signer: p.q.q.Signers[p.who].Name, Word: p.word(), Offline: true}, nil)
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
	p.q.answer(engine.Consent{}, engine.ErrLater)
	return true
}

func (p *signPrompt) enter() bool {
	word := p.word()
	switch {
	case word == "" && p.enough():
		p.q.answer(engine.Consent{}, engine.ErrEnough)
		return true
	case word == "" || p.who < 0:
		p.note = "Enter alone does not sign"
		return false
	}
	p.q.answer(engine.Consent{Signer: p.q.q.Signers[p.who].Name, Word: word}, nil)
	return true
}

func (p *signPrompt) body(_ engine.View, width int) []string {
	r := p.q.q
	lines := planLines(r, width)
	lines = append(earlierLines(r, width), lines...)
	if r.Warning != "" {
		lines = append(append(para(alarm, " Note   ", r.Warning, width), ""), lines...)
	}
	whole := r.Purpose == engine.Attend || r.Purpose == engine.Join
	for i, s := range r.Signers {
		lines = append(lines, signerLine(s, i == p.who, p.enough(), whole))
	}
	return lines
}

func (p *signPrompt) act(int) []string {
	r := p.q.q
	lines := append(elsewhere(r), p.standing())
	if p.note != "" {
		lines = append(lines, alarm.Render(" refused: "+p.note))
	}
	if p.who < 0 {
		return lines
	}
	return append(lines, accent.Render(wanted(r, r.Signers[p.who]))+p.input.View())
}

// standing says how many have signed and what is still needed, and why, or how the
// page ends.
func (p *signPrompt) standing() string {
	r := p.q.q
	signed := fmt.Sprintf(" Signed %d, needed %d", r.Have(), r.Need)
	switch {
	case !p.enough():
		return fmt.Sprintf("%s (%s). %d more must sign.", signed, r.Rule, r.Need-r.Have())
	case p.who < 0:
		return signed + "." + accent.Render(" Press Enter to continue.")
	}
	return signed + "." + accent.Render(" Press Enter to continue") + ", or sign as well."
}

// wanted says what a person is to do now.
func wanted(r engine.Request, s engine.Signer) string {
	switch {
	case s.Key != "":
		return fmt.Sprintf(" %s: type %s to sign ", s.Name, s.Word())
	case r.Purpose == engine.Final:
		return fmt.Sprintf(" %s: no key on this console; type %s, then ctrl+e ", s.Name, s.Word())
	}
	return fmt.Sprintf(" %s: no key on this console; ctrl+e to sign offline ", s.Name)
}

// elsewhere shows where the statements are that wait for an offline signature, and
// how to sign them.
func elsewhere(r engine.Request) (lines []string) {
	for _, s := range r.Signers {
		if s.Offline != "" {
			lines = append(lines, accent.Render(" "+s.Name+": ")+s.Offline)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return append([]string{" To sign offline, put the .sig beside its statement in", " " + r.Dir}, lines...)
}

func planLines(r engine.Request, width int) []string {
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
	label, digest := map[engine.Purpose]string{engine.Approve: " Plan   ", engine.Final: " Final  "}[r.Purpose], r.Digest
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

// earlierLines are what the people of an earlier run answered.
func earlierLines(r engine.Request, width int) (lines []string) {
	if len(r.Earlier) == 0 {
		return nil
	}
	lines = append(lines, " Answered in an earlier run. Sign only if these are your answers:")
	for _, s := range r.Earlier {
		lines = append(lines, para(past, fmt.Sprintf(" %-14s ", s.Name), printable.Shown(s.Value), width)...)
	}
	return append(lines, "")
}

// signerLine shows a whole fingerprint where people compare it: at attendance.
func signerLine(s engine.Signer, now, enough, whole bool) string {
	mark := "[      ]"
	switch {
	case s.Signed:
		mark = "[signed]"
	case !s.Asked:
		mark = "[   -  ]"
	case s.Offline != "":
		mark = accent.Render("[>>    ]")
	case now && enough:
		mark = accent.Render("[may   ]")
	case now:
		mark = accent.Render("[needed]")
	case s.Key == "":
		mark = "[no key]"
	}
	key := s.Fingerprint
	if short := len("SHA256:") + 16; !whole && len(key) > short {
		key = key[:short] + "..."
	}
	line := fmt.Sprintf(" %s %-8s %s", mark, s.Name, key)
	switch {
	case s.At != "":
		line += "  " + s.At
	case s.Offline != "":
		line += "  offline"
	case s.Key == engine.InAgent:
		line += "  " + s.Key
	}
	return line
}

func (p *signPrompt) keys() string {
	switch {
	case p.later:
		return alarm.Render("Sign later? The run ends; rerun the same command.  y end  any other key: stay")
	case p.who < 0 && p.enough():
		return "enter continue  ctrl+o log  ctrl+c stop"
	case p.who < 0:
		return "ctrl+d later  ctrl+o log  ctrl+c stop"
	case p.enough():
		return "enter sign or continue  tab next  ctrl+e offline  ctrl+o log  ctrl+c stop"
	}
	return "enter sign  tab next  ctrl+e offline  ctrl+d later  ctrl+o log  ctrl+c stop"
}

func (p *signPrompt) dismiss(err error) { p.q.answer(engine.Consent{}, err) }
