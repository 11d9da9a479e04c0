package tui

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return tea.Batch(m.wait, everySecond()) }

// wait is the command that brings the next mail. What comes meanwhile of the same page is drawn once.
func (m *model) wait() tea.Msg {
	<-m.room.Ring()
	time.Sleep(m.pace - time.Since(m.taken))
	m.taken = time.Now()
	return m.room.Mail()
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case room.Mail:
		return m, m.take(msg)
	case tick:
		return m, everySecond()
	case rested:
		return m, m.rested(msg)
	case recorded:
		return m, m.recorded(msg)
	case compared:
		m.read.took(msg.Comparison, msg.err)
		if s, ok := m.ask.(*signPrompt); ok && msg.Matches && len(m.read.disputing()) == 0 {
			s.note = "" // what was refused meanwhile may be signed now
		}
		return m, nil
	case returned:
		m.lent = nil
		msg.question.Answer(struct{}{}, msg.err)
		return m, nil
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 { // a serial line says 0x0
			m.width, m.height = msg.Width, msg.Height
		}
		return m, nil
	case tea.KeyMsg:
		if msg, ok := readable(msg); ok {
			return m, m.key(msg)
		}
		return m, nil
	}
	if m.ask != nil {
		return m, m.toPrompt(msg)
	}
	return m, nil
}

// readable is a key, of a paste what a person can read: nothing that moves, hides or reorders what is
// on the screen, and no end of a line. ok is false where nothing is left. Several letters that were read
// at once are text, as of a paste: as keys, "left" would be that of this name. With alt it is no key: a field
// of bubbles v1.0.0 panics at alt+d behind a blank, and nothing is known by such a key.
func readable(key tea.KeyMsg) (left tea.KeyMsg, ok bool) {
	if key.Alt {
		return key, key.Type == tea.KeyCtrlC // esc and ctrl+c that were read together
	}
	if key.Type != tea.KeyRunes {
		return key, true
	}
	key.Runes = slices.DeleteFunc(slices.Clone(key.Runes), func(r rune) bool { return !unicode.IsGraphic(r) })
	key.Paste = key.Paste || len(key.Runes) > 1
	return key, len(key.Runes) > 0
}

// take shows the engine's news.
func (m *model) take(news room.Mail) tea.Cmd {
	fresh := false
	if n := len(news.Views); n > 0 {
		fresh = news.Views[n-1].Step != m.view.Step
		m.view = news.Views[n-1]
	}
	if fresh {
		m.scroll, m.signed, m.typed, m.reading, m.said = 0, nil, nil, false, ""
	}
	if news.Ended {
		return tea.Quit
	}
	before, _ := m.ask.(*signPrompt)
	if news.Taken {
		m.ask = nil
	}
	asks, cmd := m.asks(news.Ask, before)
	switch {
	case m.ask != nil:
		m.typed = nil
	case before != nil:
		m.typed = before
	}
	if m.stopped && m.ask != nil {
		m.ask.dismiss(context.Canceled)
	}
	if fresh || asks {
		cmd = tea.Batch(cmd, m.gate.shutFor())
	}
	return tea.Batch(cmd, m.wait)
}

// asks opens the prompt of a question, and reports whether it is a page of its own:
// not after a refusal, and not between two people who sign the same.
func (m *model) asks(ask any, before *signPrompt) (fresh bool, cmd tea.Cmd) {
	switch q := ask.(type) {
	case room.Form:
		f := newFormPrompt(q)
		m.ask = f
		return q.Q.Refused == nil, f.form.Init()
	case room.Consent:
		m.reading = m.reading && m.read.digest == q.Q.Compared()
		s := newSignPrompt(q)
		if fresh = !s.continues(before, m.typed, m.signed); fresh {
			m.scroll = 0
		}
		if before = cmp.Or(before, m.typed); before != nil {
			s.adopt(before)
		} else if q.Q.Note != "" && m.signed != nil {
			s.keep(m.signed)
		}
		m.ask = s
		return fresh, s.input.Focus()
	case room.Choose:
		m.ask = newChoosePrompt(q)
		return q.Q.Refused == nil, nil
	case room.Leave:
		m.ask = &leavePrompt{q, m.continues()}
		return true, nil
	case room.Hold:
		m.ask = &holdPrompt{q}
		return true, nil
	case room.Turn:
		m.ask = &turnPrompt{q}
		return true, nil
	case room.Lend:
		m.ask, m.report, m.over, m.reading = nil, nil, overNothing, false
		m.lends = &q // a word that comes late would be an attempt at the PIN
		return true, nil
	}
	return false, nil
}

// rested opens the page, and lends the terminal if it is to be lent.
func (m *model) rested(r rested) tea.Cmd {
	if !m.gate.open(r) || m.lends == nil {
		return nil
	}
	q := *m.lends
	m.lent, m.lends = m.lends, nil
	lend := &lent{page: m.drawn(m.height-lentRows, false), use: q.Q, terminal: m.terminal}
	return tea.Exec(lend, func(err error) tea.Msg { return returned{q, err} })
}

func (m *model) key(key tea.KeyMsg) tea.Cmd {
	if key.Alt { // ctrl+c after esc: it asks, and confirms nothing
		m.asksStop()
		return nil
	}
	if stop := m.stopping; stop != nil {
		m.stopping = nil
		if s := key.String(); s == "y" || s == "ctrl+c" {
			stop()
		}
		return nil
	}
	switch key.String() {
	case "ctrl+c":
		m.asksStop()
		return nil
	case "ctrl+l":
		return tea.Batch(tea.ClearScreen, tea.WindowSize())
	}
	if m.gate.shut {
		return m.gate.drop()
	}
	m.said = ""
	switch key.String() {
	case "pgdown":
		m.scrollBy(max(1, m.rows/2))
		return nil
	case "pgup":
		m.scrollBy(-max(1, m.rows/2))
		return nil
	}
	if cmd, taken := m.cover(key); taken {
		return cmd
	}
	switch {
	case m.report != nil:
		return m.toReport(key)
	case m.begins(key):
	case m.reading:
		return m.toAloud(key)
	case m.view.Replay:
		m.turn(key.String())
	case m.readsOn(key), m.readsFirst(key):
	case m.ask != nil:
		if cmd, ok := m.reads(key); ok {
			return cmd
		}
		if !m.givesUp(key) {
			return m.toPrompt(key)
		}
	default:
		m.steer(key.String())
	}
	return nil
}

// asksStop asks whether the ceremony is to stop here, unless it stops already.
func (m *model) asksStop() {
	if !m.stopped {
		m.stopping = func() {
			m.stopped = true
			m.cancel(errStopped)
		}
	}
}

// errStopped is why a ceremony ends that somebody stopped at the console.
var errStopped = errors.New("stopped at the console")

func (m *model) toPrompt(msg tea.Msg) tea.Cmd {
	cmd, done := m.ask.update(msg)
	if done {
		m.signed, _ = m.ask.(*signPrompt)
		m.ask = nil
	}
	return cmd
}

// turn takes a key of a replay. Whatever question is in sight was answered long ago.
func (m *model) turn(key string) {
	switch key {
	case "enter", " ", "right":
		if m.ask != nil {
			m.ask.dismiss(errTurned)
			m.ask = nil
		}
	}
}

// errTurned is what a question of a replay is answered with.
var errTurned = context.Canceled

// tick moves the elapsed time on the screen.
type tick time.Time

func everySecond() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) })
}
