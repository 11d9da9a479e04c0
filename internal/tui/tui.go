// Package tui is the Bubble Tea wizard: it shows what the engine shows, asks
// what the engine asks, and decides nothing.
package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	_ "github.com/certautopilot/kekceremony/internal/tui/background" // before bubbletea asks the terminal
)

// Run shows hold's room on the terminal until hold returns, and leaves the
// terminal as it was, whatever happens.
func Run(ctx context.Context, t *engine.Terminal, control *engine.Control,
	hold func(context.Context, engine.Room) error) (err error) {
	defer func() { err = errors.Join(err, t.Restore()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := newRoom()
	held := make(chan error, 1)
	go func() { held <- guarded(ctx, r, hold) }()
	m := newModel(r, control, t, cancel)
	p := tea.NewProgram(m, options()...)
	_, err = p.Run()
	cancel(err)
	m.dismiss()
	heldErr := <-held
	if errors.Is(err, tea.ErrProgramKilled) {
		err = nil
	}
	if heldErr == nil {
		fmt.Fprint(os.Stdout, m.farewell())
	}
	return errors.Join(heldErr, err)
}

// guarded holds the ceremony; a panic becomes an error, so that the terminal is
// given back before anybody reads it.
func guarded(ctx context.Context, r *room, hold func(context.Context, engine.Room) error) (err error) {
	defer r.end()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v\n%s", p, debug.Stack())
		}
	}()
	if err := hold(ctx, r); err != nil {
		return err
	}
	r.leave(ctx)
	return nil
}

// options fits the program to the terminal: the Linux console and serial
// terminals know no alternate screen, and a slow line no sixty frames.
func options() []tea.ProgramOption {
	opts := []tea.ProgramOption{tea.WithoutSignalHandler(), tea.WithFPS(10)}
	kind := os.Getenv("TERM")
	for _, plain := range []string{"linux", "vt", "ansi", "dumb"} {
		if strings.HasPrefix(kind, plain) {
			return opts
		}
	}
	return append(opts, tea.WithAltScreen())
}

// tick moves the elapsed time on the screen.
type tick time.Time

func everySecond() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tick(t) })
}
