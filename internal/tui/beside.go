package tui

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// beside are the steps at the left of a page and the room at its right, in so many rows.
func (m *model) beside(b box, rows int) (left, right []string) {
	left, right = make([]string, rows), make([]string, rows)
	if !b.wide() {
		return left, right
	}
	steps, here := b.steps(m.view, b.left)
	from := 0
	if len(steps) > rows-1 { // what is now stays in sight
		from = min(max(0, here-rows/2), len(steps)-(rows-1))
	}
	copy(left, append([]string{" " + strong.Render("STEPS")}, steps[from:]...))
	copy(right, append([]string{" " + strong.Render("ROOM")}, text.Wrap(b.room(m, b.right), b.right-1)...))
	return left, right
}

// spacious is the narrowest list of steps that has a blank column at its end.
const spacious = 30

// steps are all steps with their state: when each ended, or how many minutes are planned for it. A title
// that is too long is broken between words. here is the line of the step that is now.
func (b box) steps(v engine.View, width int) (lines []string, here int) {
	for i, s := range v.Steps {
		m, style, note := markTodo, past, ""
		switch state := text.StepOf(v, i); {
		case state == text.StepDone:
			m, style, note = markDone, plain, text.Clock(s.At)
		case state == text.StepNow:
			m, style, note, here = markNow, accent, "now", len(lines)
		case s.Minutes > 0:
			note = fmt.Sprintf("%d min", s.Minutes)
		}
		head := " " + b.of(m) + " "
		if note != "" {
			note = " " + note
		}
		room := width - ansi.StringWidth(head) - len(note)
		if width >= spacious {
			room--
		}
		for _, row := range text.Rows(s.Title, room) {
			lines = append(lines, head+style.Render(pad(row, room))+past.Render(note))
			head, note = strings.Repeat(" ", ansi.StringWidth(head)), ""
		}
	}
	return lines, here
}

// room is who is here, who must act, and who signed what; the fleet; the deviations.
func (b box) room(m *model, width int) (lines []string) {
	v := m.view
	if v.Quorum != "" {
		lines = append(lines, " quorum "+v.Quorum)
	}
	if len(v.People) == 0 {
		lines = append(lines, past.Render(" Nobody has attended yet."))
	}
	for _, p := range v.People {
		k, style, state := m.standing(p)
		lines = append(lines, para(style, " "+b.of(k)+" ", p.Name+"  "+state, width)...)
		lines = append(lines, b.signatures(p, width)...)
	}
	style, says := m.toAct()
	lines = append(lines, "", " "+strong.Render("TO ACT"))
	lines = append(lines, para(style, " ", says, width)...)
	if v.Fleet != nil {
		lines = append(append(lines, "", " "+strong.Render("FLEET")), b.fleetBrief(v, width)...)
	}
	lines = append(lines, "", " "+strong.Render("DEVIATIONS"))
	if v.Reported == 0 {
		return append(lines, past.Render(" none"))
	}
	return append(lines, pending.Render(fmt.Sprintf(" %d, in the log", v.Reported)))
}

// signatures are what a person signed, each with its time.
func (b box) signatures(p engine.Person, width int) (lines []string) {
	indent := strings.Repeat(" ", 2+ansi.StringWidth(b.todo))
	for _, s := range p.Signed {
		at := text.Clock(s.At)
		if s.Run > 0 {
			at += text.Run(s.Run)
		}
		did := text.Did(s.Step)
		if ansi.StringWidth(indent+did+" "+at) >= width { // few rows matter more than of what
			did, _, _ = strings.Cut(did, " ")
		}
		says := did + " " + at
		if ansi.StringWidth(indent+says) >= width {
			says = did + "\n" + at
		}
		lines = append(lines, para(past, indent, says, width)...)
	}
	return lines
}

// standing is where a person stands now: to the open request for signatures, or else in the room.
func (m *model) standing(p engine.Person) (mark, lipgloss.Style, string) {
	if s, ok := m.ask.(*signPrompt); ok {
		if i := slices.IndexFunc(s.q.Q.Signers, func(one engine.Signer) bool { return one.Name == p.Name }); i >= 0 {
			k, style, state := standingOf(s.q.Q, s.q.Q.Signers[i], i == s.who)
			if k == markDone { // when, stands below
				state = "signed"
			}
			return k, style, state
		}
	}
	switch {
	case p.Here && p.Approves:
		return markDone, plain, "present"
	case p.Here:
		return markDone, plain, "witness"
	case !p.Approves:
		return markTodo, past, "witness"
	}
	return markTodo, past, "not here"
}

// fleetBrief is the fleet beside a page.
func (b box) fleetBrief(v engine.View, width int) []string {
	const most = 8
	t := *v.Fleet
	live := t.Live()
	writes := 0
	for _, p := range live {
		if p.Writes {
			writes++
		}
	}
	lines := []string{fmt.Sprintf(" %d of %d write %s", writes, len(live), t.Target)}
	for _, p := range t.Processes[:min(most, len(t.Processes))] {
		word, _ := text.Process(p, v)
		head, name := " "+b.of(processMark(word))+" ", path.Dir(p.Name)
		seen := text.Seen(t, p)
		says := name + "  " + seen
		if ansi.StringWidth(head+says) >= width {
			says = name + "\n" + seen
		}
		lines = append(lines, para(plain, head, says, width)...)
	}
	if more := len(t.Processes) - most; more > 0 || t.More {
		lines = append(lines, past.Render(" and more"))
	}
	return lines
}
