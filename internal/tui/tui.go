// Package tui is the Bubble Tea wizard: it shows what the engine shows, asks
// what the engine asks, and decides nothing.
package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/certautopilot/kekceremony/internal/engine"
	_ "github.com/certautopilot/kekceremony/internal/tui/background" // before bubbletea asks the terminal
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// Run shows run's room on the terminal until run returns, and leaves the
// terminal as it was, whatever happens.
func Run(ctx context.Context, t *engine.Terminal, control *engine.Control,
	run func(context.Context, engine.Room) error) (err error) {
	defer func() { err = errors.Join(err, t.Restore()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := room.New()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, run) }()
	paint(groundOf(os.Getenv))
	m := newModel(r, control, t, cancel)
	p := tea.NewProgram(m, options(t)...)
	_, err = p.Run()
	cancel(err)
	m.dismiss()
	runErr := <-ended
	if errors.Is(err, tea.ErrProgramKilled) {
		err = nil
	}
	if runErr == nil || errors.Is(runErr, engine.ErrDisagreed) {
		fmt.Fprint(os.Stdout, m.farewell())
	}
	return errors.Join(runErr, err)
}

// RunReplay shows pages that only turn: no key of a replay reaches a question.
func RunReplay(ctx context.Context, t *engine.Terminal, play func(context.Context, *room.Room) error) error {
	return Run(ctx, t, nil, func(ctx context.Context, r engine.Room) error {
		err := play(ctx, r.(*room.Room))
		if errors.Is(err, errStopped) { // it has shown enough
			return nil
		}
		return err
	})
}

// options fits the program to the terminal: the Linux console and serial
// terminals know no alternate screen, and a slow line no sixty frames. All are asked to say what is pasted: a
// terminal that cannot does not heed it, and one behind a serial line may.
func options(t *engine.Terminal) []tea.ProgramOption {
	all := []tea.ProgramOption{tea.WithoutSignalHandler(), tea.WithFilter(sized(t)),
		tea.WithInput(&keyboard{File: os.Stdin, rest: pasteRest})}
	if bare(os.Getenv("TERM")) {
		return append(all, tea.WithFPS(5))
	}
	return append(all, tea.WithFPS(10), tea.WithAltScreen())
}

// sized has what a terminal says of its size give way to what people say.
func sized(t *engine.Terminal) func(tea.Model, tea.Msg) tea.Msg {
	return func(_ tea.Model, msg tea.Msg) tea.Msg {
		if _, ok := msg.(tea.WindowSizeMsg); ok {
			if columns, rows, ok := t.Said(); ok {
				return tea.WindowSizeMsg{Width: columns, Height: rows}
			}
		}
		return msg
	}
}

// bare reports whether a kind of terminal has one screen alone.
func bare(kind string) bool {
	return slices.ContainsFunc([]string{"linux", "vt", "ansi", "dumb"}, func(plain string) bool {
		return strings.HasPrefix(kind, plain)
	})
}
