package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

var sequences = flag.Int("keys", 5, "how many sequences of random keys")

// keysOfEach is how many keys a sequence has.
const keysOfEach = 300

// TestKeys has somebody lean on the keyboard of an install, and each fifth time of a rotation: letters,
// arrows, esc, ctrl, pastes, and a window of changing size, with words among them that sign. Nothing ends
// the program but a confirmed stop, nothing is signed without its word, and the terminal is as it was.
func TestKeys(t *testing.T) {
	t.Parallel()
	needHostName(t)
	for seed := range *sequences {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newHands(t, uint64(seed), seed%5 == 4)
			if seed%5 == 4 {
				h.goes([]int{15, 18, 9, 2}[seed/5%4])
			} else {
				h.goes([]int{1, 4, 12, 20}[(seed+seed/5)%4])
			}
			for range keysOfEach {
				h.any()
			}
			h.stop()
			h.signedOnlyTyped()
		})
	}
}

// leaning are hands on the keyboard of a wizard.
type leaning struct {
	scene
	tty, own *os.File // the keyboard's side, and the program's, held open to look at its state
	found    unix.Termios
	random   *rand.Rand
	pages    []page         // that the ceremony asks first
	version  string         // the word that approves
	typed    map[string]int // how often each word was typed
	ended    chan error
	over     bool // the ceremony came to its end
	mu       sync.Mutex
	said     []byte
	seen     int // of it, by until
}

func newHands(t *testing.T, seed uint64, rotates bool) *leaning {
	t.Helper()
	h := &leaning{scene: newScene(t, t.TempDir(), binary, quorum.Rehearsal), typed: map[string]int{},
		random: rand.New(rand.NewPCG(seed, 0)), ended: make(chan error, 1), pages: route, version: "1"}
	h.emptyStore()
	command := []string{"install"}
	if rotates {
		h.pages, h.version, command = rotation, "2", []string{"rotate", "--to-version", "2"}
		h.run("install")
		h.agent()
		if err := h.application().Write(t.Context(), sceneRecords); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.tty, h.own, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.tty.Close(); h.own.Close() })
	h.resize(80, 24)
	h.found = h.state()
	cmd := h.console(t.Context(), "tui", command...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = h.own, h.own, h.own
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go h.read()
	go func() { h.ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return h
}

// page is what a ceremony asks, and what is typed: a word, or Enter for what is proposed.
type page struct{ asks, types string }

// rotation are the pages of a rotation.
var rotation = []page{
	{"alice: type alice", "alice"}, {"bob: type bob", "bob"}, {"Press Enter to continue", ""}, {"Where does this", ""},
	{"Who authorized", ""}, {"Who is who", ""}, {"Time on the wall", ""}, {"bags opened", ""}, {"Independent witness", ""},
	{text.Read, ""}, {"alice: type 2", "2"}, {"bob: type 2", "2"}, {"Press Enter to continue", ""}, {text.Read, ""},
	{"Where else", ""}, {"Planned end", ""}, {text.Read, ""}, {"alice: type 2", "2"},
}

// route are those of an install.
var route = []page{
	{"Path of the roster", here + "/roster"}, {"alice: type alice", "alice"}, {"bob: type bob", "bob"},
	{"Press Enter to continue", ""}, {"Where does this", ""}, {"Who authorized", ""}, {"Who is who", ""},
	{"Time on the wall", ""}, {"bags opened", ""}, {"Independent witness", ""}, {"Provider to lock", ""},
	{text.Read, ""}, {"alice: type 1", "1"}, {"bob: type 1", "1"}, {"Press Enter to continue", ""}, {text.Read, ""},
	{"Where else", ""}, {"Planned end", ""}, {"bags closed", ""}, {"Time on the wall", ""},
}

// goes answers the first pages, so that what follows is typed into those that come later.
func (h *leaning) goes(pages int) {
	h.t.Helper()
	for _, page := range h.pages[:pages] {
		h.until(page.asks)
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
		h.mu.Lock()
		defer h.mu.Unlock()
		at := bytes.Index(h.said[h.seen:], []byte(asks))
		if at >= 0 {
			h.seen += at + len(asks)
		}
		return at >= 0
	}) {
		h.t.Fatalf("never saw %q:\n%q", asks, h.last())
	}
}

// last is the end of what was written.
func (h *leaning) last() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.said[max(0, len(h.said)-3000):])
}

// send types keys, and counts a word among them.
func (h *leaning) send(word, keys string) {
	h.t.Helper()
	h.typed[word]++
	if !h.over {
		select {
		case err := <-h.ended:
			h.over = true
			disagreed := fmt.Sprint(err) == "exit status 5" && h.typed["disagree"] > 0
			if err != nil && !disagreed { // else the ceremony is done, and somebody closed its last page
				h.t.Fatalf("it ended: %v, before %q\n%q", err, keys, h.last())
			}
		default:
		}
	}
	if _, err := io.WriteString(h.tty, keys); err != nil {
		h.t.Fatal(err)
	}
}

// rest is as long as a page that is new wants, and a little longer.
func (h *leaning) rest() { time.Sleep(300 * time.Millisecond) }

func (h *leaning) resize(columns, rows int) {
	if err := pty.Setsize(h.tty, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}); err != nil {
		h.t.Fatal(err)
	}
}

// words are those that sign; no other key types one, or a digit.
var words = []string{"alice", "bob", "erin", "followed", "deviations", "disagree"}

// unconfirmed follows a key that asks for a stop.
var unconfirmed = []string{"n", "q", "\x1b[A", "\r", " "}

// any presses something.
func (h *leaning) any() {
	h.t.Helper()
	of := func(all ...string) string { return all[h.random.IntN(len(all))] }
	switch n := h.random.IntN(100); {
	case n < 6:
		h.rest()
	case n < 14:
		h.helps()
	case n < 27:
		h.send("", "\r")
	case n < 45:
		word := of(append(words, h.version)...)
		h.send(word, of("", "\x15", "\x15")+word+of("", "\r", "\r"))
	case n < 65:
		h.send("", of("a", "d", "f", "g", "r", "s", "x", "y", "z", "?", "/", "-", " ", "ß", "東"))
	case n < 75:
		h.send("", of("\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1bOF", "\t", "\x1b[Z",
			"\x7f"))
	case n < 79:
		h.send("", "\x1b")
	case n < 90: // ctrl and a letter, but for c, n, m, i, j and h
		h.send("", of("\x01", "\x02", "\x04", "\x05", "\x06", "\x07", "\x0b", "\x0c", "\x0f", "\x10", "\x11", "\x12",
			"\x13", "\x14", "\x15", "\x16", "\x17", "\x18", "\x19", "\x1a", "\x1c"))
	case n < 94:
		word := of(append(words, h.version)...)
		h.send(word, "\x1b[200~"+of("", "\u202e", "\x03y", "y\n")+word+of("\n", "\r", "\n\n")+"\x1b[201~")
	case n < 97:
		h.send("", of("\x03", "\x0e")+of(unconfirmed...))
	default:
		h.resize(20+h.random.IntN(180), 5+h.random.IntN(60))
	}
}

// asked is what a page asks people to type.
var asked = regexp.MustCompile(`\w+: type (\w+)`)

// helps waits until a page takes keys, and does what it may ask: takes what is proposed, ends it, or
// signs with the word that was asked for last.
func (h *leaning) helps() {
	h.t.Helper()
	h.rest()
	all := asked.FindAllSubmatch(h.last(), -1)
	switch n := h.random.IntN(4); {
	case n == 0:
		h.send("", "\x15\r")
	case n == 1 && len(all) > 0:
		word := string(all[len(all)-1][1])
		h.send(word, "\x15"+word+"\r")
	default:
		h.send("", "\r")
	}
}

// stop ends the program as people do, unless the ceremony came to its end.
func (h *leaning) stop() {
	h.t.Helper()
	h.resize(80, 24)
	h.send("", "\x1b") // of whatever waits for one more key
	h.rest()
	h.send("", "\x03y")
	if h.over {
		return
	}
	select {
	case err := <-h.ended:
		if code := strings.TrimPrefix(fmt.Sprint(err), "exit status "); code != "75" {
			h.t.Errorf("it ended with %v\n%q", err, h.last())
		}
	case <-time.After(hangs):
		h.t.Fatalf("ctrl+c y does not stop it:\n%q", h.last())
	}
	if now := h.state(); now != h.found {
		h.t.Errorf("the terminal was %+v and is %+v", h.found, now)
	}
	if !bytes.Contains(h.last(), []byte("\x1b[?25h")) {
		h.t.Errorf("the cursor stays hidden:\n%q", h.last())
	}
}

var signedLine = regexp.MustCompile(`"kind":"signed","step":"([a-z-]+)"`)

// signedOnlyTyped compares the log with what was typed.
func (h *leaning) signedOnlyTyped() {
	h.t.Helper()
	all := bundlesOf(h.t, h.Parts)
	dir := all[len(all)-1]
	if code, out, _ := run(h.t, "transcript", "verify", dir); code != 0 && code != 5 {
		h.t.Errorf("verify: exit %d\n%s", code, out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		h.t.Fatal(err)
	}
	signed := map[string]int{}
	for line := range strings.Lines(string(log)) {
		m := signedLine.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[1] == "attend":
			for _, p := range h.people {
				if strings.Contains(line, `"signer":"`+p.Name+`"`) {
					signed[p.Name]++
				}
			}
		default:
			signed[h.version]++
		}
	}
	for word, n := range signed {
		if n > h.typed[word] {
			h.t.Errorf("%d signed with %q, which was typed %d times", n, word, h.typed[word])
		}
	}
	finals, _ := filepath.Glob(filepath.Join(dir, "final.*.sig"))
	if verdicts := h.typed["followed"] + h.typed["deviations"] + h.typed["disagree"]; len(finals) > verdicts {
		h.t.Errorf("%d finals, and %d verdicts were typed", len(finals), verdicts)
	}
	h.t.Logf("signed %v, %d finals; the log has %d lines", signed, len(finals), bytes.Count(log, []byte("\n")))
}
