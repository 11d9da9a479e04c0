package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"
)

// maxLine is the longest line that a terminal gives, in bytes.
const maxLine = 4096

// Sized reports whether it is known how large the terminal is: a serial line does not say.
func (t *Terminal) Sized() bool {
	if _, _, ok := t.Said(); ok {
		return true
	}
	columns, rows, err := xterm.GetSize(int(t.Out.Fd()))
	return err == nil && columns > 0 && rows > 0
}

// Lines has the terminal itself edit lines and echo them, and discards what was typed. No key
// sends a signal: ctrl+c ends the line that ReadLine returns, since a signal would go to every
// process of the terminal, and the keeper of the keys is one of them.
func (t *Terminal) Lines() error {
	plain := *t.found
	plain.Lflag |= unix.ICANON | unix.ECHO | unix.ECHOE | unix.ECHOK
	plain.Lflag &^= unix.ISIG | unix.IEXTEN
	plain.Iflag |= unix.ICRNL | unix.IUTF8
	plain.Iflag &^= unix.IGNCR | unix.INLCR
	plain.Oflag |= unix.OPOST | unix.ONLCR
	plain.Cc[unix.VEOL] = keyInterrupt
	return t.set(&plain)
}

// set changes the terminal's state and discards what was typed.
func (t *Terminal) set(state *unix.Termios) error {
	if err := unix.IoctlSetTermios(t.fd(), unix.TCSETSF, state); err != nil {
		return fmt.Errorf("set the terminal: %w", err)
	}
	return nil
}

// ReadLine waits for a line, which Lines has the terminal edit. It ends with ctx, with
// ErrInterrupted on ctrl+c, and with io.EOF where nothing more can come. What has no end of
// line is no line.
func (t *Terminal) ReadLine(ctx context.Context) (string, error) {
	var line []byte
	part := make([]byte, maxLine)
	for {
		n, err := t.readPart(ctx, part)
		if err != nil {
			return "", err
		}
		line = append(line, part[:n]...)
		switch last := line[len(line)-1]; {
		case last == '\n':
			return string(line[:len(line)-1]), nil
		case last == keyInterrupt:
			return "", ErrInterrupted
		case len(line) > maxLine:
			line = nil // it is nobody's answer
		}
	}
}

// readPart reads at least one byte.
func (t *Terminal) readPart(ctx context.Context, part []byte) (int, error) {
	wake, err := wakeOnDone(ctx)
	if err != nil {
		return 0, err
	}
	defer wake.Close()
	for {
		if err := t.await(ctx, wake); err != nil {
			return 0, err
		}
		n, err := unix.Read(t.fd(), part)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || n == 0: // a line that hung up gives an error
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Rest is how long the keyboard must rest before a new page takes what is typed: longer than
// between two keys of somebody who types on, shorter than it takes to read a prompt.
const Rest = 250 * time.Millisecond

// Rested discards what is typed, unseen, until the keyboard has rested, and prepares the
// terminal for lines. It ends early with ErrInterrupted on ctrl+c.
func (t *Terminal) Rested(ctx context.Context) error {
	deaf := *t.found
	deaf.Lflag &^= unix.ICANON | unix.ECHO | unix.ECHONL | unix.ISIG | unix.IEXTEN
	deaf.Cc[unix.VMIN], deaf.Cc[unix.VTIME] = 1, 0
	if err := t.set(&deaf); err != nil {
		return err
	}
	early := make([]byte, maxLine)
	for {
		rest, cancel := context.WithTimeout(ctx, Rest)
		n, err := t.readPart(rest, early)
		cancel()
		for _, key := range early[:n] {
			if key == keyInterrupt {
				return errors.Join(ErrInterrupted, t.Lines())
			}
		}
		switch {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), t.Lines())
		case errors.Is(err, context.DeadlineExceeded):
			return t.Lines()
		case err != nil:
			return err
		}
	}
}
