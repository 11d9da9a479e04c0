package room

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Run runs a ceremony in the room, and keeps its last page until somebody has read it. A
// panic becomes an error, so that the terminal is given back before anybody reads it.
func (r *Room) Run(ctx context.Context, run func(context.Context, engine.Room) error) (err error) {
	defer r.End()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v\n%s", p, debug.Stack())
		}
	}()
	if err = run(ctx, r); err == nil || errors.Is(err, engine.ErrDisagreed) { // then people have signed as well
		if left := r.Leave(ctx); left != nil && err == nil && r.following {
			return fmt.Errorf("the rehearsal: %w", engine.ErrInterrupted)
		}
	}
	return err
}
