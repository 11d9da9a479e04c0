package tui

import (
	"strings"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// View implements tea.Model.
func (m *model) View() string { return m.drawn(m.height, true) }

// drawn is the page as the terminal gets it.
func (m *model) drawn(height int, filled bool) string {
	return m.glyphs.safe(strings.Join(m.page(height, filled), "\n"))
}

// page is header, body, what a person must do, and the keys, in so many rows, or in as few as it
// needs. Body and prompt stand together. Only the body scrolls, and header and prompt are the last
// to be cut.
func (m *model) page(height int, filled bool) []string {
	b := boxOf(m.glyphs, m.width, height, m.copied())
	m.box = b
	head, keys, bottom := m.head(b), m.keyRows(b), b.bottom(m.clock())
	room := b.height - len(head) - len(bottom) - 1 - len(keys)
	if room < 1 { // a screen of a few rows
		keys, room = nil, b.height-len(head)-len(bottom)-1
	}
	p := m.parts(room)
	lines := m.stack(p, room-len(p.foot), filled)
	if m.over == overNothing && m.unseen() && !m.sawAll() {
		m.box.unseen = true
		p = m.parts(room)
		lines = m.stack(p, room-len(p.foot), filled)
	}
	m.sees()
	m.logBelow(b, lines, filled)
	note := ""
	if m.unseen() && m.lent == nil { // nothing scrolls while somebody else has the keyboard
		note = "pgdn: more"
	}
	left, right := m.beside(b, len(lines))
	page := head
	for i, line := range lines {
		page = append(page, b.row(left[i], line, right[i]))
	}
	for _, line := range p.foot {
		page = append(page, b.whole(line))
	}
	page = append(page, b.ruled(note, m.clock()))
	for _, line := range keys {
		page = append(page, b.whole(line))
	}
	page = append(page, bottom...)
	return page[:min(len(page), b.height)]
}

// fewestRows of a body are in sight, or more of the page is folded. Before all of it scrolls, fewer are
// enough.
const (
	fewestRows = 8
	fewRows    = 1
)

// parts are a page between its header and its keys. pinned is what nobody signs without: it stays
// beside the prompt. Only body scrolls.
type parts struct{ body, pinned, act, foot []string }

// parts folds a page until it has room in so many rows, else until enough of its body is in sight.
func (m *model) parts(room int) (p parts) {
	for _, enough := range []func(rows int) bool{
		func(rows int) bool { return len(p.body) <= rows || len(p.pinned) == 0 },
		func(rows int) bool { return m.box.fold >= foldKeys && rows >= fewestRows },
		func(rows int) bool { return m.box.fold == foldSigners && rows >= fewRows },
	} {
		for m.box.fold = foldNothing; m.box.fold < foldPins; m.box.fold++ {
			if p = m.folded(room); enough(room - len(p.pinned) - len(p.act) - len(p.foot)) {
				return p
			}
		}
	}
	return m.folded(room)
}

// folded are the parts of a page that is folded as its box says.
func (m *model) folded(room int) parts {
	b := m.box
	p := parts{act: b.wrapped(m.act()), foot: m.present(b)}
	body, pinned := b.wrapped(m.body()), b.wrapped(m.pinned())
	if b.fold == foldPins {
		body, pinned = append(body, pinned...), nil
	}
	if len(pinned) > 0 {
		body, pinned = trimmed(body), append([]string{spare}, pinned...)
	}
	if b.fold >= foldSigners {
		p.foot = nil
	}
	free := room - len(p.act) - len(p.foot)
	p.body = trimmed(roomy(body, free-len(pinned)))
	p.pinned = roomy(pinned, free-len(p.body))
	all := len(p.body) + len(p.pinned)
	if over := all > free; over && (all <= room-len(p.act) || free-len(p.pinned) < fewestRows) {
		p.foot = nil // the page needs its rows
	}
	p.act = p.act[max(0, len(p.act)-max(room-len(p.foot), 1)):]
	return p
}

// pinned is what stays beside the prompt of a request for signatures.
func (m *model) pinned() []string {
	s := m.signing()
	if s == nil || s.later || m.reporting() || m.over != overNothing || m.reading || m.view.Ending != nil ||
		m.ask != nil && m.ask != prompt(s) {
		return nil
	}
	return append(s.pinned(m.box), m.comparedLine()...)
}

// stack is the part of the body in sight, and below it what is pinned and what a person must do.
func (m *model) stack(p parts, room int, filled bool) []string {
	gap, fixed := 0, len(p.pinned)+len(p.act)
	if len(p.act) > 0 && len(p.body)+fixed < room {
		gap = 1
	}
	m.lines, m.rows = len(p.body), max(0, room-fixed-gap)
	lines := append([]string{}, p.body[m.from():min(len(p.body), m.from()+m.rows)]...)
	lines = append(lines, p.pinned...)
	if gap > 0 {
		lines = append(lines, "")
	}
	lines = append(lines, p.act...)
	fill := 0
	switch {
	case filled:
		fill = room
	case m.box.wide(): // the lists beside the page keep their rows
		steps, _ := m.box.steps(m.view, m.box.left)
		fill = min(room, len(steps)+1)
	}
	for len(lines) < fill {
		lines = append(lines, "")
	}
	return lines
}

// logBelow fills what is free below a page of a wide screen with the end of the log.
func (m *model) logBelow(b box, lines []string, filled bool) {
	const fewest, most = 10, 14
	used := len(lines)
	for used > 0 && lines[used-1] == "" {
		used--
	}
	free := len(lines) - used
	if !filled || !b.wide() || free < fewest || m.over == overLog || len(m.view.Log) == 0 {
		return
	}
	log := b.log(m.view)[2:]
	log = append([]string{b.heading("Log, newest first, UTC", "")}, log[:min(len(log), free-2, most)]...)
	for i, line := range log {
		lines[len(lines)-len(log)+i] = line
	}
}

// copied reports whether something on the page is to be copied from it.
func (m *model) copied() bool {
	s, ok := m.ask.(*signPrompt)
	return m.over == overNothing && (m.view.Ending != nil || ok && s.copied())
}

// act is what waits for a person.
func (m *model) act() []string {
	switch {
	case m.reporting():
		return m.report.act(m.box)
	case m.said != "":
		return append([]string{good.Render(" " + m.said)}, m.waits()...)
	}
	return m.waits()
}

// waits is what the page waits for.
func (m *model) waits() []string {
	switch {
	case m.gate.shut:
		return m.notYet()
	case m.reading && m.over == overNothing:
		return m.read.act(m.box)
	case m.ask == nil && m.report == nil:
		return nil
	case m.over != overNothing:
		_, says := m.toAct()
		return para(accent, " "+m.glyphs.of(markNow)+" ", "Still to do: "+says, m.box.page()-1)
	}
	return append(m.disputed(), m.ask.act(m.box)...)
}

// notYet says why keys do nothing on a page that is new.
func (m *model) notYet() []string {
	if m.ask == nil && m.lends == nil || !m.gate.dropped {
		return nil
	}
	return []string{past.Render(" New page: it ignores keys until you pause for a moment.")}
}

// body is everything between header and prompt.
func (m *model) body() []string {
	if m.reporting() {
		return m.report.body(m.view)
	}
	if m.over != overNothing {
		return m.overlay()
	}
	if m.reading {
		return m.read.body(m.box)
	}
	v, b := m.view, m.box
	if v.Ending != nil {
		return b.ending(v)
	}
	lines := append([]string{" " + strong.Render(v.Title)}, para(past, " ", v.Why, b.page()-1)...)
	if s := m.signing(); s != nil && s.words() { // they stand under the question, and apart from what was done
		lines = append(lines, spare)
	} else {
		lines = append(lines, "")
	}
	switch {
	case m.ask != nil:
		return append(lines, m.ask.body(v, b)...)
	case m.signed != nil:
		return append(lines, m.signed.body(v, b)...)
	}
	return append(lines, b.found(v, m.now())...)
}

// comparedLine says for whom the digest of the page matches.
func (m *model) comparedLine() []string {
	s, ok := m.ask.(*signPrompt)
	if m.read == nil || !ok || s.q.Q.Compared() != m.read.digest || len(m.read.said) == 0 {
		return nil
	}
	return []string{" Read aloud: " + m.read.compared()}
}

// signing is the request for signatures that is open, or was on this page.
func (m *model) signing() *signPrompt {
	if s, ok := m.ask.(*signPrompt); ok {
		return s
	}
	return m.signed
}

// present says who is in the room and how many must sign, where no part of the page does.
func (m *model) present(b box) []string {
	says := text.Present(m.view)
	if s := m.signing(); s != nil {
		says = text.Attending(m.view, s.q.Q)
	}
	if says != "" && !b.wide() && m.view.Ending == nil {
		return b.wrapped([]string{" " + says})
	}
	return nil
}
