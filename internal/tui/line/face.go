package line

import (
	"context"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// face is the terminal's side. Only serve's goroutine uses it.
type face struct {
	printer
	room     *room.Room
	keys     *keyboard // nil: pages are printed, and nobody types
	control  *engine.Control
	cancel   context.CancelCauseFunc
	now      func() time.Time
	page     page
	ask      prompt    // the engine's question; nil when it asks nothing
	signed   *sitting  // what was last signed on this page
	steering *steering // somebody wants to throttle the re-wrap; nil: nobody does
	report   *report   // a deviation that somebody reports; nil: nobody does
	draft    [4]string // the parts of one that was dropped
	recorded <-chan error
	aloud    *aloud // a digest is being compared; nil: none is
	really   func() // what is done after a yes; nil: nothing is asked for it
	early    bool   // what was typed before that question is not discarded yet
	stopped  bool
	failed   error // of the terminal, or ctrl+c where no line was read
}

// prompt is a question that waits for a line.
type prompt interface {
	page() []string  // the question on a page of its own
	again() []string // what stays of it when it is asked once more
	words() []word   // of this question, beside those of every page
	// answers reports whether a line is an answer, even if it is one of the words.
	answers(line string) bool
	// take takes a line, without blanks around it; done is true when the question was answered.
	take(line string) (says []string, done bool)
}

func newFace(t *engine.Terminal, control *engine.Control, cancel context.CancelCauseFunc) *face {
	columns, _ := t.Size()
	return &face{printer: printer{out: t.Out, width: min(maxWidth, columns-1), ascii: t.ASCII}, room: room.New(),
		keys: &keyboard{terminal: t, typed: make(chan typed)}, control: control, cancel: cancel, now: time.Now}
}

// word is what can be typed instead of an answer. One that does nothing there has no text, and is not listed.
type word struct {
	name, does string
	do         func(*face)
}

// sitting is a request for signatures, and whose word was awaited.
type sitting struct {
	r   engine.Request
	who int
}

// signers is the people of a request and where each stands.
func signers(r engine.Request, who int) (lines []string) {
	for i, p := range r.Signers {
		lines = append(lines, item(text.Mark(r, p, i == who)+" ", text.Signer(r, p)))
	}
	return lines
}

// open asks. A page that is new takes nothing that was typed before it.
func (f *face) open(ctx context.Context, p prompt, fresh bool) {
	f.ask = p
	if !fresh {
		f.say(p.again()...)
	} else {
		f.say(p.page()...)
		f.rest(ctx)
	}
	f.unsteered()
	if f.aloud != nil {
		f.aloud = nil
		f.say("The comparison ended: the page is another one.")
	}
	if f.report != nil { // the question waits until that is done
		f.say(f.report.again()...)
	}
	f.prompt()
}

// asked is the question that takes the next line: what somebody began on the page comes before what the
// engine asks. It is nil when nothing is asked.
func (f *face) asked() prompt {
	switch {
	case f.steering != nil:
		return f.steering
	case f.report != nil:
		return f.report
	case f.aloud != nil:
		return f.aloud
	}
	return f.ask
}

// rest discards what is typed until the keyboard rests.
func (f *face) rest(ctx context.Context) {
	f.keys.park()
	err := f.keys.terminal.Rested(ctx)
	if ctx.Err() == nil && err != nil {
		f.failed = err
	}
	if err := f.keys.listen(); err != nil {
		f.failed = err
	}
}

// take gives the question that is asked a line.
func (f *face) take(p prompt, line string) {
	says, done := p.take(line)
	f.say(says...)
	if !done {
		f.prompt()
		return
	}
	switch p.(type) {
	case *steering:
		f.steering = nil
		f.again()
	case *report:
		f.report = nil
	case *aloud: // it goes on when what was said is recorded
	default:
		f.ask = nil
	}
}

// answered closes the engine's question.
func (f *face) answered(answer func()) {
	answer()
	f.ask = nil
}

// again asks once more what is asked.
func (f *face) again() {
	if p := f.asked(); p != nil {
		f.say(p.again()...)
		f.prompt()
	}
}

// confirm does something after a yes.
func (f *face) confirm(question string, do func()) {
	if f.stopped {
		return
	}
	f.really, f.early = do, true
	f.say(question, yesOrNo)
}

// confirms waits for an answer to a question that is new: a yes that was typed before it is none.
func (f *face) confirms(ctx context.Context) {
	if f.early {
		f.early = false
		f.rest(ctx)
		f.prompt()
	}
}

// yesOrNo is how a question is answered whose answer does something.
const yesOrNo = "yes or no:"
