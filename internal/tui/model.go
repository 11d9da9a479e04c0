package tui

import (
	"context"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// model is the program's state. Only Update changes it.
type model struct {
	room     *room.Room
	control  *engine.Control
	terminal *engine.Terminal
	cancel   context.CancelCauseFunc
	now      func() time.Time
	pace     time.Duration // between two times that news are taken
	taken    time.Time     // when they were; only wait uses it

	width, height int
	view          engine.View
	ask           prompt      // what waits for a person; nil when nobody need act
	signed        *signPrompt // the last one answered on this page: what is being signed stays in sight
	typed         *signPrompt // one that was taken away before it was answered: its successor keeps what was typed
	gate          gate        // a new page takes no key at first
	steering      *steering   // somebody wants to throttle the re-wrap
	stopping      func()      // what is done if somebody means to stop; nil: nobody was asked
	stopped       bool
	over          over       // what covers the page
	report        *reporting // somebody reports a deviation
	draft         *reporting // a report that was left before it was recorded
	said          string     // what became of a report, until a key is pressed
	read          *aloud     // the digest that was read aloud last
	reading       bool       // it covers the page
	glyphs        glyphs     // that the terminal can show
	box           box        // as last drawn
	scroll        int
	seen          seen       // of the request for signatures
	lends         *room.Lend // the terminal is lent as soon as the keyboard rests
	lent          *room.Lend // who has the terminal
	lines, rows   int        // of the whole body and of its part in sight, as last drawn
}

// prompt is the part of the page that waits for a person.
type prompt interface {
	// update takes a key; done is true when the question was answered.
	update(tea.Msg) (cmd tea.Cmd, done bool)
	typing() bool // letters go into a field
	body(v engine.View, b box) []string
	act(b box) []string // what a person must do: never scrolled away
	due() string        // the same in a few words
	keys() []key
	dismiss(error)
}

func newModel(r *room.Room, c *engine.Control, t *engine.Terminal, cancel context.CancelCauseFunc) *model {
	m := &model{room: r, control: c, terminal: t, cancel: cancel, now: time.Now,
		glyphs: glyphsFor(t), pace: quickPace}
	if bare(os.Getenv("TERM")) {
		m.pace = slowPace
	}
	m.width, m.height = t.Size()
	return m
}

// Between two times that news are taken. A re-wrap has some hundred a second, and each draws the whole page:
// quickPace is as often as people can see. slowPace keeps what a re-wrap draws at 80x24 below 900 bytes/s: a serial
// line of 9600 baud brings 960.
const (
	quickPace = 50 * time.Millisecond
	slowPace  = 500 * time.Millisecond
)

// from is the first line of the body in sight.
func (m *model) from() int { return min(m.scroll, max(0, m.lines-m.rows)) }

// unseen reports whether the page goes on below what was drawn last.
func (m *model) unseen() bool { return m.lines > m.from()+m.rows }

// scrollBy moves the part of the body in sight.
func (m *model) scrollBy(lines int) {
	m.scroll = min(max(0, m.from()+lines), max(0, m.lines-m.rows))
}

// reporting reports whether a report is what the page shows.
func (m *model) reporting() bool { return m.report != nil && m.over == overNothing }

// typing reports whether letters go into a field.
func (m *model) typing() bool {
	return m.over == overNothing && (m.report != nil || m.ask != nil && !m.reading && m.ask.typing()) || m.steering != nil
}

// dismiss answers what is still open when the program has ended.
func (m *model) dismiss() {
	if m.ask != nil {
		m.ask.dismiss(context.Canceled)
	}
	for _, q := range []*room.Lend{m.lends, m.lent} {
		if q != nil {
			q.Answer(struct{}{}, context.Canceled)
		}
	}
	m.room.Dismiss()
}
