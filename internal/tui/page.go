package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/engine"
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
	head, keys, bottom := b.top(m.header(b)), m.keyRows(b), b.bottom()
	room := b.height - len(head) - len(bottom) - 1 - len(keys)
	if room < 1 { // a screen of a few rows
		keys, room = nil, b.height-len(head)-len(bottom)-1
	}
	act := b.wrapped(m.act())
	foot := m.present(b)
	body := roomy(b.wrapped(m.body()), room-len(act)-len(foot))
	if rest := room - len(act) - len(body); rest < len(foot) && (rest >= 0 || room-len(act)-len(foot) < 6) {
		foot = nil // the page needs its rows
	}
	room -= len(foot)
	act = act[max(0, len(act)-max(room, 1)):]
	lines := m.stack(body, act, room, filled)
	m.logBelow(b, lines, filled)
	note := ""
	if m.lines > m.from()+m.rows {
		note = "pgdn: more"
	}
	left, right := m.beside(b, len(lines))
	page := head
	for i, line := range lines {
		page = append(page, b.row(left[i], line, right[i]))
	}
	for _, line := range foot {
		page = append(page, b.whole(line))
	}
	page = append(page, b.rule(note))
	for _, line := range keys {
		page = append(page, b.whole(line))
	}
	page = append(page, bottom...)
	return page[:min(len(page), b.height)]
}

// stack is the part of the body in sight, and what a person must do below it.
func (m *model) stack(body, act []string, room int, filled bool) []string {
	for len(body) > 0 && strings.TrimSpace(ansi.Strip(body[len(body)-1])) == "" {
		body = body[:len(body)-1]
	}
	gap := 0
	if len(act) > 0 && len(body)+len(act) < room {
		gap = 1
	}
	m.lines, m.rows = len(body), max(0, room-len(act)-gap)
	lines := append([]string{}, body[m.from():min(len(body), m.from()+m.rows)]...)
	if gap > 0 {
		lines = append(lines, "")
	}
	lines = append(lines, act...)
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
	case m.gate.shut:
		return m.notYet()
	case m.reading && m.over == overNothing:
		return m.read.act(m.box)
	case m.ask == nil:
		return nil
	case m.over != overNothing:
		return []string{" " + m.glyphs.of(markNow) + " " + accent.Render("Waits: "+m.ask.due())}
	}
	return m.ask.act(m.box)
}

// notYet says why keys do nothing on a page that is new.
func (m *model) notYet() []string {
	if m.ask == nil && m.lends == nil || !m.gate.dropped {
		return nil
	}
	return []string{past.Render(" New page: it ignores keys until you pause for a moment.")}
}

// header says where we are: the ceremony, and how far it is.
func (m *model) header(b box) (left, right string) {
	v := m.view
	left = "kekceremony " + b.across + " " + strings.ReplaceAll(text.Ceremony(v), "->", b.to)
	right = text.Place(v)
	if v.Ending == nil && v.Of > 0 {
		right += "  " + v.Step
	}
	room := b.width - ansi.StringWidth(left) - ansi.StringWidth(right) - 10
	switch {
	case v.Replay:
		right = pending.Render("REPLAY") + "   " + right
		room -= 9
	case v.Rehearsal:
		right = pending.Render("REHEARSAL") + "   " + right
		room -= 12
	}
	if bar := b.progress(v, room-3); bar != "" {
		right = bar + "   " + right
	}
	return left, right
}

// progress is the line of progress, a cell for each step if there is room for it.
func (b box) progress(v engine.View, room int) string {
	const fewest, most = 6, 24
	n := min(v.Of, room, most)
	if v.Of == 0 || v.Ending != nil || n < min(fewest, v.Of) {
		return ""
	}
	at := (v.N - 1) * n / v.Of
	return good.Render(strings.Repeat(b.past, at)) + accent.Render(b.here) +
		past.Render(strings.Repeat(b.ahead, n-at-1))
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
	lines = append(lines, "")
	switch {
	case m.ask != nil:
		return append(append(lines, m.ask.body(v, b)...), m.comparedLine()...)
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
