// Package line is line mode: the ceremony as plain lines of a terminal, for screen readers and
// consoles that are logged. It asks what the engine asks, writes no escape sequence and no line
// over 79 columns, and decides nothing.
package line

import (
	"context"
	"errors"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// Run shows run's room on the terminal until run returns, and leaves the terminal as it was,
// whatever happens.
func Run(ctx context.Context, t *engine.Terminal, control *engine.Control,
	run func(context.Context, engine.Room) error) (err error) {
	defer func() { err = errors.Join(err, t.Restore()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := newFace(t, control, cancel)
	if err := f.keys.listen(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- f.room.Run(ctx, run) }()
	f.serve(ctx)
	f.keys.park()
	return <-ended
}

// serve shows and takes until the run has ended.
func (f *face) serve(ctx context.Context) {
	f.say("Line mode. Type help at any question for the words that it knows.")
	done := ctx.Done()
	for {
		select {
		case <-f.room.Ring():
			if f.mail(ctx, f.room.Mail()) {
				f.unreported()
				return
			}
		case line := <-f.keys.typed:
			f.line(line)
		case err := <-f.heard():
			f.matched(err)
		case err := <-f.recorded:
			f.became(err)
		case <-done:
			done, f.stopped = nil, true
			f.say("Stopping: finishing the work in progress.")
		}
		f.confirms(ctx)
		f.check()
	}
}

// mail shows the engine's news, and reports whether there are no more.
func (f *face) mail(ctx context.Context, m room.Mail) (ended bool) {
	for _, v := range m.Views {
		fresh := f.page.turns(v)
		if fresh {
			f.signed = nil
		}
		f.say(f.page.lines(v, fresh, f.now())...)
	}
	if m.Taken {
		f.ask = nil
	}
	f.unsteered()
	if p := replayed(m.Ask); p != nil && f.page.view.Replay {
		f.replays(ctx, p)
		return m.Ended
	}
	switch q := m.Ask.(type) {
	case room.Form:
		f.page.asks(q.Q.Field.Name)
		f.open(ctx, &form{q: q, n: len(f.page.view.Details) + 1}, q.Q.Refused == nil)
	case room.Consent:
		s := newSigning(q, f.signed)
		f.signed = &sitting{q.Q, s.who}
		f.open(ctx, s, s.old == nil)
	case room.Hold:
		f.open(ctx, &hold{text.Read, func() { q.Answer(struct{}{}, nil) }}, true)
	case room.Choose:
		f.open(ctx, &choice{q: q}, q.Q.Refused == nil)
	case room.Leave:
		if end := f.page.view.Ending; end != nil && end.Following != "" {
			f.open(ctx, &hold{continuing, func() { q.Answer(struct{}{}, nil) }}, true)
			break
		}
		q.Answer(struct{}{}, nil) // what was said stays on the terminal
	case room.Lend:
		f.lend(ctx, q)
	}
	return m.Ended
}

// check stops where the terminal does not work any more, and asks where somebody pressed ctrl+c.
func (f *face) check() {
	if f.err != nil { // nobody can read what follows
		f.cancel(f.err)
	}
	if err := f.failed; err != nil {
		f.failed = nil
		f.line(typed{err: err})
	}
}

// lend gives the terminal away. A word that comes late would be an attempt at the PIN.
func (f *face) lend(ctx context.Context, q room.Lend) {
	f.keys.park()
	err := f.keys.terminal.Rested(ctx)
	if err == nil {
		f.fresh()
		err = errors.Join(q.Q(f.keys.terminal), f.keys.terminal.Flush())
	}
	f.failed = f.keys.listen()
	q.Answer(struct{}{}, err)
	if f.report != nil { // it was asked before the terminal was lent
		f.again()
	}
}
