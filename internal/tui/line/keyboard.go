package line

import (
	"context"
	"errors"
	"io"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// keyboard reads the terminal, line by line, while nobody else does.
type keyboard struct {
	terminal *engine.Terminal
	typed    chan typed
	stop     context.CancelFunc
	parked   chan struct{} // closed when nobody reads any more
}

// typed is a line, or why there is none.
type typed struct {
	text string
	err  error
}

// listen reads from now on, and discards what was typed before.
func (k *keyboard) listen() error {
	if err := k.terminal.Lines(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	parked := make(chan struct{})
	k.stop, k.parked = stop, parked
	go func() {
		defer close(parked)
		for {
			text, err := k.terminal.ReadLine(ctx)
			select {
			case k.typed <- typed{text, err}:
			case <-ctx.Done():
				return
			}
			if errors.Is(err, io.EOF) {
				return
			}
		}
	}()
	return nil
}

// park stops reading. A line that nobody took is lost.
func (k *keyboard) park() {
	k.stop()
	<-k.parked
}
