package line

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// Play shows pages in a room. No line of a replay reaches a question.
type Play func(context.Context, *room.Room) error

// PrintReplay prints the pages one after the other, without a terminal: nobody turns them.
func PrintReplay(ctx context.Context, out io.Writer, ascii bool, play Play) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &face{printer: printer{out: out, width: maxWidth, ascii: ascii}, room: room.New(), cancel: cancel, now: time.Now}
	ended := make(chan error, 1)
	go func() {
		ended <- f.room.Run(ctx, func(ctx context.Context, r engine.Room) error { return play(ctx, r.(*room.Room)) })
	}()
	for range f.room.Ring() {
		if f.mail(ctx, f.room.Mail()) {
			break
		}
		f.check()
	}
	return cmp.Or(f.err, <-ended)
}

// RunReplay says pages that only turn.
func RunReplay(ctx context.Context, t *engine.Terminal, play Play) error {
	return Run(ctx, t, nil, func(ctx context.Context, r engine.Room) error {
		err := play(ctx, r.(*room.Room))
		if errors.Is(err, errStopped) || errors.Is(err, errEnd) { // it has said enough
			return nil
		}
		return err
	})
}

// turn is a page of a replay: what was asked and answered on it, and nothing to answer.
type turn struct {
	lines []string
	next  func()
}

// replayed makes a page of a question that was answered long ago; nil of what is no question.
func replayed(ask any) *turn {
	switch q := ask.(type) {
	case room.Turn:
		return &turn{next: func() { q.Answer(struct{}{}, nil) }}
	case room.Form:
		f := q.Q.Field
		return &turn{[]string{"", "Question " + f.Name + ": " + f.Question, item("Answered: ", q.Q.Value)},
			func() { q.Answer("", context.Canceled) }}
	case room.Consent:
		s := newSigning(q, nil)
		lines := s.page()
		lines = lines[:len(lines)-len(s.standing())]
		return &turn{append(lines, text.Standing(q.Q)), func() { q.Answer(engine.Consent{}, context.Canceled) }}
	case room.Choose:
		return &turn{[]string{"", "Failed: " + q.Q.Err.Error()}, func() { q.Answer(engine.Choice{}, context.Canceled) }}
	}
	return nil
}

// replays shows a page of a replay. Where nobody turns it, it turns by itself.
func (f *face) replays(ctx context.Context, t *turn) {
	if f.keys != nil {
		f.open(ctx, t, true)
		return
	}
	f.say(t.lines...)
	t.next()
}

const turns = "Enter turns the page."

func (t *turn) page() []string { return append(t.lines, turns) }

func (t *turn) again() []string { return []string{turns} }

func (t *turn) words() []word { return nil }

func (t *turn) answers(string) bool { return false }

func (t *turn) take(line string) ([]string, bool) {
	if line != "" {
		return []string{"This is a replay: nothing is answered or signed. " + turns}, false
	}
	t.next()
	return nil, true
}
