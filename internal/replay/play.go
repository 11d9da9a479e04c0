// Package replay shows a ceremony that was held, page by page, as its people saw it. It reads
// a transcript and nothing else: no store, no provider, no key. Nothing is asked, and nothing
// is signed.
package replay

import (
	"context"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Room is one whose people turn the pages.
type Room interface {
	engine.Room
	// Turn returns when somebody turns the page, or with its context.
	Turn(context.Context) error
}

// How long a page stays at least and at most when the pages turn by themselves.
const (
	Shortest = time.Second
	Longest  = 8 * time.Second
)

// Play shows pages, each until somebody turns it, or, with a speed, for the time until the next
// one, divided by the speed and within the limits.
func Play(ctx context.Context, room Room, pages []Page, speed float64) error {
	for i, p := range pages {
		stay := time.Duration(0)
		if speed > 0 && i+1 < len(pages) {
			stay = min(max(time.Duration(float64(pages[i+1].At.Sub(p.At))/speed), Shortest), Longest)
		}
		p.View.Started = time.Now().Add(-p.Since)
		if err := p.show(ctx, room, stay); err != nil {
			return err
		}
	}
	return nil
}

// show shows one page. The last one stays: the room keeps it.
func (p Page) show(ctx context.Context, room Room, stay time.Duration) error {
	room.Show(p.View)
	if p.View.Ending != nil {
		return nil
	}
	turned := ctx
	if stay > 0 {
		var cancel context.CancelFunc
		turned, cancel = context.WithTimeout(ctx, stay)
		defer cancel()
	}
	// Whatever a room answers, the page is turned: what it shows was decided long ago.
	switch {
	case p.Ask != nil:
		_, _ = room.Ask(turned, *p.Ask)
	case p.Sign != nil:
		_, _ = room.Consent(turned, *p.Sign)
	case p.Failed != nil:
		_, _ = room.Choose(turned, *p.Failed)
	default:
		_ = room.Turn(turned)
	}
	return context.Cause(ctx)
}
