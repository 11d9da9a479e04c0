// Package term owns the terminal. Its rules: the state found at the start is
// the state left behind, whatever ends the program; a secret is read here and
// nowhere else, byte by byte, into locked memory; nobody else reads the
// terminal meanwhile.
package term

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"

	"github.com/certautopilot/kekceremony/internal/secret"
)

// Errors of reading from a person.
var (
	ErrNone        = errors.New("no terminal")
	ErrInterrupted = errors.New("interrupted")
)

// Terminal is the controlling terminal, with the state it had.
type Terminal struct {
	In, Out *os.File
	ASCII   bool // it shows no other characters, whatever it says of itself
	found   *unix.Termios
	said    [2]int // columns and rows that people say it has; 0: none
}

// Open takes standard input and output, both of which must be a terminal.
func Open() (*Terminal, error) {
	return Of(os.Stdin, os.Stdout)
}

// Of takes the two ends of a terminal, with the state that it has now.
func Of(in, out *os.File) (*Terminal, error) {
	t := &Terminal{In: in, Out: out}
	if !xterm.IsTerminal(t.fd()) || !xterm.IsTerminal(int(t.Out.Fd())) {
		return nil, ErrNone
	}
	found, err := unix.IoctlGetTermios(t.fd(), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the terminal's state: %w", err)
	}
	t.found = found
	return t, nil
}

func (t *Terminal) fd() int { return int(t.In.Fd()) }

// Restore puts back the state found by Open. It may be called often.
func (t *Terminal) Restore() error {
	if err := unix.IoctlSetTermios(t.fd(), unix.TCSETS, t.found); err != nil {
		return fmt.Errorf("restore the terminal: %w", err)
	}
	return nil
}

// Flush throws away what was typed and not yet read.
func (t *Terminal) Flush() error {
	if err := unix.IoctlSetInt(t.fd(), unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return fmt.Errorf("flush the terminal: %w", err)
	}
	return nil
}

// Resize takes the terminal for one of so many columns and rows, whatever it says of itself.
func (t *Terminal) Resize(columns, rows int) { t.said = [2]int{columns, rows} }

// Size is the terminal's size in columns and rows, as people say it, or as it says itself. A serial line
// that says 0x0 is taken as 80x24.
func (t *Terminal) Size() (columns, rows int) {
	if columns, rows, ok := t.Said(); ok {
		return columns, rows
	}
	columns, rows, err := xterm.GetSize(int(t.Out.Fd()))
	if err != nil || columns == 0 || rows == 0 {
		return 80, 24
	}
	return columns, rows
}

// Said is the size that people say the terminal has, if they do.
func (t *Terminal) Said() (columns, rows int, ok bool) {
	return t.said[0], t.said[1], t.said != [2]int{}
}

// Prompt is a secret that is asked for on a terminal: a provider.Source.
type Prompt struct {
	Terminal *Terminal
	Text     string
}

// Read implements provider.Source.
func (p Prompt) Read(ctx context.Context) (*secret.Buffer, error) {
	return p.Terminal.ReadSecret(ctx, p.Text)
}

// maxSecret bounds a typed secret in bytes.
const maxSecret = 256

// Keys that end or change the line being typed.
const (
	keyInterrupt = 0x03 // ctrl+c
	keyEOF       = 0x04 // ctrl+d
	keyBackspace = 0x08
	keyErase     = 0x15 // ctrl+u
	keyDelete    = 0x7f
)

// ReadSecret shows the prompt and reads a line without echo. What was typed
// before the prompt is discarded. After an empty line it asks again. It ends with ctx, and with ErrInterrupted
// on ctrl+c and ctrl+d. The caller wipes the buffer.
func (t *Terminal) ReadSecret(ctx context.Context, prompt string) (buf *secret.Buffer, err error) {
	quiet := *t.found
	quiet.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	quiet.Iflag |= unix.ICRNL
	quiet.Cc[unix.VMIN], quiet.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(t.fd(), unix.TCSETSF, &quiet); err != nil {
		return nil, fmt.Errorf("turn off echo: %w", err)
	}
	defer func() {
		if err = errors.Join(err, t.Restore()); err != nil && buf != nil {
			buf.Wipe()
			buf = nil
		}
	}()
	if _, err := t.Out.WriteString(prompt); err != nil {
		return nil, err
	}
	if buf, err = secret.New(maxSecret); err != nil {
		return nil, err
	}
	for buf.Len() == 0 && err == nil {
		if err = t.readLine(ctx, buf); err != nil {
			break
		}
		after := "\r\n"
		if buf.Len() == 0 {
			after += "Nothing was typed.\r\n" + prompt[strings.LastIndex(prompt, "\n")+1:]
		}
		_, err = t.Out.WriteString(after)
	}
	return buf, err
}

func (t *Terminal) readLine(ctx context.Context, buf *secret.Buffer) error {
	wake, err := wakeOnDone(ctx)
	if err != nil {
		return err
	}
	defer wake.Close()
	for {
		if err := t.await(ctx, wake); err != nil {
			return err
		}
		at := buf.Len()
		key := buf.Room()[at : at+1]
		n, err := unix.Read(t.fd(), key)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return errors.Join(ErrInterrupted, err)
		}
		switch key[0] {
		case '\n', '\r':
			return nil
		case keyInterrupt, keyEOF:
			return ErrInterrupted
		case keyBackspace, keyDelete:
			buf.SetLen(max(0, at-1))
		case keyErase:
			buf.SetLen(0)
		default:
			if at+1 == maxSecret {
				return fmt.Errorf("longer than %d bytes", maxSecret-1)
			}
			buf.SetLen(at + 1)
		}
	}
}

// await blocks until a byte is there or ctx ends.
func (t *Terminal) await(ctx context.Context, wake *waker) error {
	fds := []unix.PollFd{{Fd: int32(t.fd()), Events: unix.POLLIN}, {Fd: int32(wake.r.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// waker is a pipe that becomes readable when a context ends.
type waker struct {
	r, w *os.File
	stop func() bool
}

func wakeOnDone(ctx context.Context) (*waker, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _, _ = w.Write([]byte{0}) })
	return &waker{r, w, stop}, nil
}

func (w *waker) Close() {
	w.stop()
	w.r.Close()
	w.w.Close()
}
