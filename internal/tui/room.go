package tui

import (
	"context"
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// room is the engine's side of the screen. The engine never calls the program:
// it leaves mail, which one waiting command picks up.
type room struct {
	mu    sync.Mutex
	view  engine.View
	ask   any  // the one open question: asked, consent, lend, choose, turn or leave
	taken bool // the question that was asked last is not asked any more
	ended bool
	ring  chan struct{}
}

var _ engine.Room = (*room)(nil)

func newRoom() *room { return &room{ring: make(chan struct{}, 1)} }

// mail is what the program finds in the room.
type mail struct {
	view  engine.View
	taken bool // what is asked on the screen is not asked any more
	ask   any
	ended bool
}

func (r *room) post(change func()) {
	r.mu.Lock()
	change()
	r.mu.Unlock()
	select {
	case r.ring <- struct{}{}:
	default: // it rings already
	}
}

// wait is the command that brings the next mail.
func (r *room) wait() tea.Msg {
	<-r.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	m := mail{r.view, r.taken, r.ask, r.ended}
	r.taken, r.ask = false, nil
	return m
}

// question is one open question and the way its answer comes back.
type question[Q, A any] struct {
	q     Q
	reply chan answer[A]
}

type answer[A any] struct {
	a   A
	err error
}

func put[Q, A any](ctx context.Context, r *room, q Q) (A, error) {
	open := question[Q, A]{q, make(chan answer[A], 1)}
	r.post(func() { r.ask = open })
	select {
	case a := <-open.reply:
		return a.a, a.err
	case <-ctx.Done():
		r.post(func() { r.taken, r.ask = true, nil })
		var none A
		return none, ctx.Err()
	}
}

// answer never blocks: of two answers the first counts.
func (q question[Q, A]) answer(a A, err error) {
	select {
	case q.reply <- answer[A]{a, err}:
	default:
	}
}

// The questions a room can be asked.
type (
	lending func(*engine.Terminal) error
	leaving struct{}
	turning struct{}

	formQuestion    = question[engine.Question, string]
	consentQuestion = question[engine.Request, engine.Consent]
	lendQuestion    = question[lending, struct{}]
	chooseQuestion  = question[engine.Failure, engine.Choice]
	leaveQuestion   = question[leaving, struct{}]
	turnQuestion    = question[turning, struct{}]
)

// Expect implements engine.Room: there are people to answer.
func (r *room) Expect(string, []engine.Field) error { return nil }

// Given implements engine.Room.
func (r *room) Given(string) string { return "" }

// Alone implements engine.Room.
func (r *room) Alone() bool { return false }

// Ask implements engine.Room.
func (r *room) Ask(ctx context.Context, q engine.Question) (string, error) {
	return put[engine.Question, string](ctx, r, q)
}

// Consent implements engine.Room.
func (r *room) Consent(ctx context.Context, req engine.Request) (engine.Consent, error) {
	return put[engine.Request, engine.Consent](ctx, r, req)
}

// Lend implements engine.Room. The program's reader is parked meanwhile.
func (r *room) Lend(ctx context.Context, use func(*engine.Terminal) error) error {
	open := lendQuestion{use, make(chan answer[struct{}], 1)}
	r.post(func() { r.ask = open })
	// Not even the end of ctx takes the terminal back from anyone who uses it.
	return (<-open.reply).err
}

// Choose implements engine.Room.
func (r *room) Choose(ctx context.Context, f engine.Failure) (engine.Choice, error) {
	return put[engine.Failure, engine.Choice](ctx, r, f)
}

// Show implements engine.Room.
func (r *room) Show(v engine.View) { r.post(func() { r.view = v }) }

// Turn implements replay.Room.
func (r *room) Turn(ctx context.Context) error {
	_, err := put[turning, struct{}](ctx, r, turning{})
	return err
}

// leave keeps the last page until somebody has read it.
func (r *room) leave(ctx context.Context) {
	_, _ = put[leaving, struct{}](ctx, r, leaving{})
}

func (r *room) end() { r.post(func() { r.ended = true }) }
