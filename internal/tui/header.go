package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// longestStep is as long as any step's name: what has room in the header does not depend on the step.
const longestStep = 11

// header says where we are: the ceremony, how far it is, and the step. What a small screen has no room
// for is left out, ceremony and step last.
func (m *model) header(b box) (left, right string) {
	v := m.view
	name := strings.ReplaceAll(text.Ceremony(v), "->", b.to)
	bar := b.progress(m)
	if bar != "" {
		bar = "  " + bar
	}
	long := "kekceremony " + b.across + " "
	if name == "" { // it is not known yet
		long, name = "", "kekceremony"
	}
	mode, modes := m.mode(), 0
	if !b.framed {
		mode = ""
	} else if mode != "" {
		modes = ansi.StringWidth(mode) + 3
	}
	place, short := text.Place(v), fmt.Sprintf("%d/%d", v.N, v.Of)
	if v.Ending != nil || v.Of == 0 {
		short = place
	}
	step, longest := "", 0
	if v.Ending == nil && v.Step != "" {
		step, longest = "  "+v.Step, 2+max(longestStep, len(v.Step))
	}
	room := b.width - 3
	if b.framed {
		room = b.width - 8
	}
	fits := func(left string, right int) bool { return ansi.StringWidth(left)+modes+right <= room }
	switch {
	case fits(long+name+bar, len(place)+longest):
		left, right = strong.Render(long+name)+bar, place+step
	case fits(name+bar, len(place)+longest):
		left, right = strong.Render(name)+bar, place+step
	case fits(name, len(place)+longest):
		left, right = strong.Render(name), place+step
	case fits(name, len(place)):
		left, right = strong.Render(name), place
	default:
		left, right = strong.Render(name), short
	}
	if mode != "" {
		right = mode + "   " + right
	}
	return left, right
}

// head is the header in the frame, or with a rule below it, in which a small screen says what is no
// production ceremony.
func (m *model) head(b box) []string {
	left, right := m.header(b)
	note := ""
	if !b.framed {
		note = m.mode()
	}
	return b.top(left, right, note)
}

// mode is what a page says that is no production ceremony.
func (m *model) mode() string {
	switch {
	case m.view.Replay:
		return pending.Render("REPLAY")
	case m.view.Rehearsal:
		return pending.Render("REHEARSAL")
	}
	return ""
}

// progress is the line of progress: as long on each page of a ceremony, a cell for each step if there
// is room for it.
func (b box) progress(m *model) string {
	v, n := m.view, 10
	if b.width >= wideWidth {
		n = 20
	}
	n = min(n, v.Of)
	if !b.framed || v.Of == 0 || v.Ending != nil {
		return ""
	}
	at := (v.N - 1) * n / v.Of
	return good.Render(strings.Repeat(b.past, at)) + accent.Render(b.here) +
		past.Render(strings.Repeat(b.ahead, n-at-1))
}

// clock is how long this run takes, and what is planned, in minutes: what changes on a page goes through
// a slow line.
func (m *model) clock() string {
	if m.view.Started.IsZero() {
		return ""
	}
	minutes := text.Planned(m.view)
	run := int(m.now().Sub(m.view.Started).Minutes())
	if minutes == 0 || m.view.Replay || m.view.Ending != nil {
		return fmt.Sprintf("%d min", run)
	}
	return fmt.Sprintf("%d of ~%d min", run, minutes)
}
