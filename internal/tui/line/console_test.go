package line

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/term"
)

// console is a real terminal with line mode on it, and an engine's side that asks.
type console struct {
	t       *testing.T
	keys    *os.File
	tty     *os.File
	control *engine.Control
	rooms   chan engine.Room
	leave   chan struct{} // ends the run
	ended   chan error
	chunks  chan []byte
	said    string // what was written so far
	seen    int    // of it, by until
	ctx     context.Context
}

func newConsole(t *testing.T) *console {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := term.Of(tty, tty)
	if err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, keys: keys, tty: tty, control: rewrap.NewControl(0), rooms: make(chan engine.Room),
		leave: make(chan struct{}), ended: make(chan error, 1), chunks: make(chan []byte, 1000)}
	go c.read()
	go func() {
		c.ended <- Run(t.Context(), terminal, c.control, func(ctx context.Context, r engine.Room) error {
			c.ctx = ctx
			c.rooms <- r
			select {
			case <-c.leave:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	t.Cleanup(c.end)
	return c
}

func (c *console) read() {
	defer close(c.chunks)
	for {
		chunk := make([]byte, 4096)
		n, err := c.keys.Read(chunk)
		if err != nil {
			return
		}
		c.chunks <- chunk[:n]
	}
}

// end ends the run, and looks at every byte that was written.
func (c *console) end() {
	close(c.leave)
	<-c.ended
	c.tty.Close()
	for chunk := range c.chunks {
		c.said += string(chunk)
	}
	c.keys.Close()
	for line := range strings.Lines(c.said) {
		_, shown, waits := strings.Cut(line, sign)
		if waits {
			line = shown
		}
		line = strings.TrimRight(line, "\r\n")
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			c.t.Errorf("a control byte in %q", line)
		}
		if n := ansi.StringWidth(line); n > maxWidth {
			c.t.Errorf("a line of %d columns: %q", n, line)
		}
	}
}

// until waits for a text after what was seen.
func (c *console) until(text string) {
	c.t.Helper()
	guard := time.After(20 * time.Second)
	for {
		if i := strings.Index(c.said[c.seen:], text); i >= 0 {
			c.seen += i + len(text)
			return
		}
		select {
		case chunk, ok := <-c.chunks:
			if !ok {
				c.t.Fatalf("ended before %q:\n%s", text, c.said)
			}
			c.said += string(bytes.ReplaceAll(chunk, []byte("\r\n"), []byte("\n")))
		case <-guard:
			c.t.Fatalf("never saw %q:\n%s", text, c.said)
		}
	}
}

// types waits for the sign that waits for a line, and types keys.
func (c *console) types(keys ...string) {
	c.t.Helper()
	for _, k := range keys {
		c.until(sign)
		c.key(k + "\n")
	}
}

func (c *console) key(keys string) {
	c.t.Helper()
	if _, err := c.keys.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

// given is what came back to the engine.
type given[A any] struct {
	a   A
	err error
}

// asks asks in the engine's place.
func asks[A any](c *console, ask func(context.Context) (A, error)) chan given[A] {
	answers := make(chan given[A], 1)
	go func() {
		a, err := ask(c.ctx)
		answers <- given[A]{a, err}
	}()
	return answers
}

// came waits for an answer and compares it.
func came[A comparable](c *console, answers chan given[A], want A, err error) {
	c.t.Helper()
	select {
	case got := <-answers:
		if got.a != want || !errors.Is(got.err, err) {
			c.t.Errorf("%v, %v came, want %v, %v", got.a, got.err, want, err)
		}
	case <-time.After(20 * time.Second):
		c.t.Fatalf("nothing came, want %v, %v", want, err)
	}
}

var bags = engine.Question{Field: engine.Field{Name: "bags", Question: "Bags?", Help: "numbers, name"}, Value: "none"}

// rotation is a request for the approval of a rotation, which some have signed.
func rotation(note string, signed ...string) engine.Request {
	r := engine.Request{Purpose: engine.Approve, Need: 2, Rule: "quorum for the plan: 2 of 3",
		Digest: strings.Repeat("ab", 32), Note: note}
	for _, name := range []string{"alice", "bob", "carol"} {
		s := engine.Signer{Name: name, Key: "key", Words: []string{"2"}, Asked: true, Counts: true}
		for _, n := range signed {
			s.Signed = s.Signed || n == name
		}
		r.Signers = append(r.Signers, s)
	}
	return r
}
