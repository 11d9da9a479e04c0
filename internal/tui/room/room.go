// Package room is the engine's side of a screen. The engine never calls a face, such as the
// wizard: it leaves mail, which the face looks into when it rings.
package room

import (
	"context"
	"sync"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Room implements engine.Room for a face.
type Room struct {
	mu        sync.Mutex
	views     []engine.View
	following bool // a rehearsal continues after the last page
	ask       any  // the one open question, one of those below
	taken     bool // the question that was asked last is not asked any more
	ended     bool
	ring      chan struct{}

	take    func(engine.Remark) error // the engine's; nil: it takes none yet
	remarks []remark                  // that it has not seen
	knock   chan struct{}             // there are some
}

var _ engine.Room = (*Room)(nil)

// New is a room with no mail.
func New() *Room { return &Room{ring: make(chan struct{}, 1), knock: make(chan struct{}, 1)} }

// Mail is what a face finds in the room.
type Mail struct {
	Views []engine.View // since the last mail, oldest first; of the same page only the newest
	Taken bool          // what is asked on the screen is not asked any more
	Ask   any
	Ended bool
}

// post changes what is there, and rings.
func (r *Room) post(change func()) {
	r.mu.Lock()
	change()
	r.mu.Unlock()
	select {
	case r.ring <- struct{}{}:
	default: // it rings already
	}
}

// Ring rings when there is mail.
func (r *Room) Ring() <-chan struct{} { return r.ring }

// Mail takes what is there.
func (r *Room) Mail() Mail {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := Mail{r.views, r.taken, r.ask, r.ended}
	r.views, r.taken, r.ask = nil, false, nil
	return m
}

// Question is one open question and the way its answer comes back.
type Question[Q, A any] struct {
	Q     Q
	reply chan answer[A]
}

type answer[A any] struct {
	a   A
	err error
}

func ask[Q, A any](q Q) Question[Q, A] { return Question[Q, A]{q, make(chan answer[A], 1)} }

func put[Q, A any](ctx context.Context, r *Room, q Q) (A, error) {
	open := ask[Q, A](q)
	r.post(func() { r.ask = open })
	for {
		select {
		case a := <-open.reply:
			return a.a, a.err
		case <-r.knock: // the question stays open meanwhile
			r.hear()
		case <-ctx.Done():
			r.post(func() { r.taken, r.ask = true, nil })
			var none A
			return none, ctx.Err()
		}
	}
}

// Answer never blocks: of two answers the first counts.
func (q Question[Q, A]) Answer(a A, err error) {
	select {
	case q.reply <- answer[A]{a, err}:
	default:
	}
}

// The questions a room can be asked.
type (
	Lending func(*engine.Terminal) error
	Leaving struct{}
	Turning struct{}
	Holding struct{}

	Form    = Question[engine.Question, string]
	Consent = Question[engine.Request, engine.Consent]
	Lend    = Question[Lending, struct{}]
	Choose  = Question[engine.Failure, engine.Choice]
	Leave   = Question[Leaving, struct{}]
	Turn    = Question[Turning, struct{}]
	Hold    = Question[Holding, struct{}]
)

// Expect implements engine.Room: there are people to answer.
func (r *Room) Expect(string, []engine.Field) error { return nil }

// Given implements engine.Room.
func (r *Room) Given(string) string { return "" }

// Alone implements engine.Room.
func (r *Room) Alone() bool { return false }

// Ask implements engine.Room.
func (r *Room) Ask(ctx context.Context, q engine.Question) (string, error) {
	return put[engine.Question, string](ctx, r, q)
}

// Consent implements engine.Room.
func (r *Room) Consent(ctx context.Context, req engine.Request) (engine.Consent, error) {
	return put[engine.Request, engine.Consent](ctx, r, req)
}

// Lend implements engine.Room. The face reads no key meanwhile.
func (r *Room) Lend(ctx context.Context, use func(*engine.Terminal) error) error {
	open := ask[Lending, struct{}](use)
	r.post(func() { r.ask = open })
	// Not even the end of ctx takes the terminal back from anyone who uses it.
	return (<-open.reply).err
}

// Choose implements engine.Room.
func (r *Room) Choose(ctx context.Context, f engine.Failure) (engine.Choice, error) {
	return put[engine.Failure, engine.Choice](ctx, r, f)
}

// Hold implements engine.Room.
func (r *Room) Hold(ctx context.Context) error {
	_, err := put[Holding, struct{}](ctx, r, Holding{})
	return err
}

// Show implements engine.Room.
func (r *Room) Show(v engine.View) {
	defer r.hear()
	r.following = v.Ending != nil && v.Ending.Following != ""
	r.post(func() {
		if n := len(r.views); n > 0 && r.views[n-1].Step == v.Step && r.views[n-1].Ending == v.Ending {
			r.views[n-1] = v
			return
		}
		r.views = append(r.views, v)
	})
}

// Turn implements replay.Room.
func (r *Room) Turn(ctx context.Context) error {
	_, err := put[Turning, struct{}](ctx, r, Turning{})
	return err
}

// Leave keeps the last page until somebody has read it.
func (r *Room) Leave(ctx context.Context) error {
	_, err := put[Leaving, struct{}](ctx, r, Leaving{})
	return err
}

// End says that nothing more comes.
func (r *Room) End() {
	r.post(func() { r.ended, r.take = true, nil })
	r.hear()
}

// Dismiss answers a terminal's lending that no face saw any more.
func (r *Room) Dismiss() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q, ok := r.ask.(Lend); ok {
		q.Answer(struct{}{}, context.Canceled)
	}
}
