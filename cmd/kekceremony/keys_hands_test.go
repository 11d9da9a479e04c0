package main_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// leaning are hands on the keyboard of a program.
type leaning struct {
	scene
	keyPlace
	tty, own *os.File // the keyboard's side, and the program's, held open to look at its state
	found    unix.Termios
	random   *rand.Rand
	closed   []string       // the bundles that were there before
	typed    map[string]int // how often each word was typed
	process  *exec.Cmd
	ended    chan error
	over     bool // the ceremony came to its end
	mu       sync.Mutex
	said     []byte
	seen     int // of it, by until
	from     int // where of it the page is on which random keys begin
}

func newHands(t *testing.T, seed uint64, p keyPlace, s scene) *leaning {
	t.Helper()
	h := &leaning{scene: s, keyPlace: p, typed: map[string]int{}, random: rand.New(rand.NewPCG(seed, 0)),
		ended: make(chan error, 1), closed: bundlesOf(t, s.Parts)}
	if p.after > 0 && !p.alone {
		h.agent()
	}
	var err error
	if h.tty, h.own, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.tty.Close(); h.own.Close() })
	h.resize(80, 24)
	h.found = h.state()
	go h.read()
	h.start()
	h.resizes()
	return h
}

// start runs the place's command on the terminal, as its controlling one: else no resize would be told.
func (h *leaning) start() {
	h.t.Helper()
	args := append(append([]string{h.binary}, h.keyPlace.command...), "--config", here+"/people.yaml")
	if h.face != homeFace {
		args = append(args, "--ui", h.face)
	}
	cmd := h.scene.command(h.t.Context(), "console1", args...)
	cmd.Env = append(cmd.Env, "TERM=screen", "LANG=C.UTF-8", "TMPDIR="+here)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = h.own, h.own, h.own
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.process = cmd
	go func() { h.ended <- cmd.Wait() }()
	h.t.Cleanup(func() { _ = cmd.Process.Kill() })
	h.until(begins[h.face]) // before, ctrl+c is a signal
}

// resizes demands that a face with pages hears of another size of its window: it draws a longer rule.
func (h *leaning) resizes() {
	h.t.Helper()
	if h.face != lineFace {
		h.resize(120, 40)
		h.until(strings.Repeat("─", 100))
		h.resize(80, 24)
	}
}

// begins is what a face writes when it takes keys.
var begins = map[string]string{wizardFace: "step ", lineFace: "Line mode.", homeFace: "Ceremonies"}

// answers types what the first pages ask.
func (h *leaning) answers(pages int) {
	h.t.Helper()
	for _, page := range h.pages[:pages] {
		h.until(page.asks)
		if h.face == lineFace && page.types != handsPIN {
			h.until("\r> ")
		}
		h.from = h.mark()
		h.send(page.types, page.types+"\r")
	}
	h.rest()
}

func (h *leaning) state() unix.Termios {
	h.t.Helper()
	state, err := unix.IoctlGetTermios(int(h.own.Fd()), unix.TCGETS)
	if err != nil {
		h.t.Fatal(err)
	}
	return *state
}

func (h *leaning) read() {
	part := make([]byte, 1<<14)
	for {
		n, err := h.tty.Read(part)
		h.mu.Lock()
		h.said = append(h.said, part[:n]...)
		h.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// until waits until the program has written a text.
func (h *leaning) until(asks string) {
	h.t.Helper()
	if !await(func() bool {
		if asks == text.Read && h.passes(text.ReadOn) { // a page that is longer than the screen
			h.send("", "\r")
		}
		return h.passes(asks)
	}) {
		h.t.Fatalf("never saw %q:\n%q", asks, h.last())
	}
}

// passes reports whether a text was written, and goes on behind it.
func (h *leaning) passes(asks string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := bytes.Index(h.said[h.seen:], []byte(asks))
	if at >= 0 {
		h.seen += at + len(asks)
	}
	return at >= 0
}

// mark is how much was written so far.
func (h *leaning) mark() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.said)
}

// since is what was written after a mark.
func (h *leaning) since(mark int) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.said[mark:])
}

// last is the end of what was written.
func (h *leaning) last() []byte { return h.since(max(0, h.mark()-3000)) }

// send types keys, and counts a word among them.
func (h *leaning) send(word, keys string) {
	h.t.Helper()
	h.typed[word]++
	select {
	case err := <-h.ended:
		h.finished(err, keys)
	default:
	}
	if _, err := io.WriteString(h.tty, keys); err != nil {
		h.t.Fatal(err)
	}
}

// finished judges how the program ended, which nobody stopped with a question and its answer.
func (h *leaning) finished(err error, keys string) {
	h.t.Helper()
	h.restored()
	code := h.process.ProcessState.ExitCode()
	switch {
	case h.face == homeFace && code >= 0 && code < 128, // nothing runs on it: q and ctrl+c are enough
		h.face == homeFace && h.interrupted(), // and so are two ctrl+c, of which it saw the second when it was ending
		h.face == lineFace && code == 75 && (bytes.Contains(h.last(), []byte("End of input.")) || h.confirmed()):
		h.rest() // the terminal may still have a key for what runs on it next, and that is a shell at first
		h.start()
	case h.isOver():
		h.over = true
	default:
		h.t.Fatalf("it ended: %v, before %q\n%q", err, keys, h.last())
	}
}

// interrupted reports whether the program ended by SIGINT, as a shell wants to see it.
func (h *leaning) interrupted() bool {
	status, ok := h.process.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGINT
}

// confirmed reports whether the question of line mode's stop was answered with yes, as by the word abort and a line y.
func (h *leaning) confirmed() bool {
	last := h.last()
	after := last[max(0, bytes.LastIndex(last, []byte("Stop here?"))):]
	return bytes.HasPrefix(after, []byte("Stop here?")) && bytes.Contains(after, []byte("Stopping:")) &&
		!bytes.Contains(after, []byte("Not stopped."))
}

// isOver reports whether the program ended since the ceremony had.
func (h *leaning) isOver() bool {
	code := h.process.ProcessState.ExitCode()
	return (code == 0 || code == 5 && h.typed["disagree"] > 0) && finalDigest.Match(h.last())
}

// finalDigest is in what a face leaves on the terminal of a ceremony that is over.
var finalDigest = regexp.MustCompile(`(?i)final digest`)

// pause is a moment between two keys.
func (h *leaning) pause() { time.Sleep(30 * time.Millisecond) }

// rest is as long as a page that is new wants, and a little longer.
func (h *leaning) rest() { time.Sleep(300 * time.Millisecond) }

func (h *leaning) resize(columns, rows int) {
	if err := pty.Setsize(h.tty, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		h.t.Fatal(err)
	}
}

// stopKeys are the keys with which people stop, on each face. In line mode ctrl+q comes first: ctrl+s held the output.
var stopKeys = map[string][]string{wizardFace: {"\x1b", "\x03y"}, lineFace: {"\x11", "\x15", "\x04"},
	homeFace: {"\x1b", "\x03y", "\x15q\r"}}

// stop ends the program as people do, unless the ceremony came to its end.
func (h *leaning) stop() {
	h.t.Helper()
	h.resize(80, 24)
	h.rest()
	for guard := time.After(hangs); !h.over; {
		for _, keys := range stopKeys[h.face] {
			if _, err := io.WriteString(h.tty, keys); err != nil {
				h.t.Fatal(err)
			}
			h.rest()
		}
		select {
		case err := <-h.ended:
			h.over = true
			if h.face != homeFace && h.process.ProcessState.ExitCode() != 75 && !h.isOver() {
				h.t.Errorf("it ended with %v\n%q", err, h.last())
			}
		case <-guard:
			h.t.Fatalf("%q does not stop it:\n%q", stopKeys[h.face], h.last())
		default:
		}
	}
	h.restored()
}

// restored demands the terminal's state of before, and no stacks on it.
func (h *leaning) restored() {
	h.t.Helper()
	if bytes.Contains(h.last(), []byte("goroutine ")) {
		h.t.Errorf("it says what its goroutines did:\n%q", h.last())
	}
	if now := h.state(); now != h.found {
		h.t.Errorf("the terminal was %+v and is %+v", h.found, now)
	}
	shown := bytes.LastIndex(h.last(), []byte("\x1b[?25h"))
	if hidden := bytes.LastIndex(h.last(), []byte("\x1b[?25l")); hidden > shown {
		h.t.Errorf("the cursor stays hidden:\n%q", h.last())
	}
}
