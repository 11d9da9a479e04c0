package tui

import (
	"errors"
	"io"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
)

// lentRows stay free under the page for anyone who has the terminal.
const lentRows = 6

// lent is the terminal in somebody else's hands: the page stays in sight, and
// the program reads no key.
type lent struct {
	page     string
	use      room.Lending
	terminal *engine.Terminal
}

// Run implements tea.ExecCommand.
func (l *lent) Run() error {
	const clear = "\x1b[2J\x1b[H"
	if _, err := io.WriteString(l.terminal.Out, clear+l.page+"\n"); err != nil {
		return err
	}
	err := l.use(l.terminal)
	_, _ = io.WriteString(l.terminal.Out, clear) // no old prompt is left that asks for a secret
	return errors.Join(err, l.terminal.Flush())
}

// SetStdin, SetStdout and SetStderr implement tea.ExecCommand: the terminal is
// already known.
func (l *lent) SetStdin(io.Reader)  {}
func (l *lent) SetStdout(io.Writer) {}
func (l *lent) SetStderr(io.Writer) {}

// returned says that the terminal is back.
type returned struct {
	question room.Lend
	err      error
}
