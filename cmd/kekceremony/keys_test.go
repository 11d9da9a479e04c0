package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"regexp"
	"testing"
)

var sequences = flag.Int("keys", 5, "how many sequences of random keys")

// long is how many sequences have 300 keys each, and must reach every page that stays. Fewer have 100.
const long = 200

// TestKeys has somebody lean on the keyboard of ceremonies that have come so far, of line mode and of the home page:
// letters, arrows, esc, ctrl, pastes, and a window of changing size, with words among them that sign. Nothing ends
// the program but a confirmed stop, nothing is signed and no key destroyed without its word, no PIN is to be seen,
// and the terminal is as it was. A long test must reach every page that stays.
func TestKeys(t *testing.T) {
	t.Parallel()
	needHostName(t)
	keys := 100
	if *sequences >= long {
		keys = 300
	}
	made, reached := newKeyStages(t), &reach{pages: map[string]int{}, faces: map[string]int{}}
	t.Cleanup(func() { reached.report(t, *sequences) })
	for seed := range *sequences {
		p := places[seed%len(places)]
		goes := p.goes(seed / len(places))
		t.Run(fmt.Sprintf("%d %s %d", seed, p.name, goes), func(t *testing.T) {
			t.Parallel()
			h := newHands(t, uint64(seed), p, made.copied(t, p.token, p.after))
			h.answers(goes)
			for range keys {
				h.any()
			}
			h.stop()
			reached.add(p, h.since(h.from))
			h.keptPromises()
		})
	}
}

// unconfirmed follows a key that asks for a stop.
var unconfirmed = []string{"n", "q", "\x1b[A", "\r", " "}

// verdicts are what people say at the end.
var verdicts = []string{"followed", "deviations", "disagree"}

// words are those that sign; no other key types one, or a digit.
func (h *leaning) words() []string {
	return append([]string{"alice", "bob", "erin", "1", "2", "3", "destroy", "disable", "roster", "abort"}, verdicts...)
}

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
		word := of(h.words()...)
		h.send(word, of("", "\x15", "\x15")+word+of("", "\r", "\r"))
	case n < 62:
		key := of("a", "d", "f", "g", "p", "r", "s", "x", "y", "z", "?", "/", "-", " ", "ß", "東")
		h.send("", key)
		if key == "s" { // where a step has failed, it asks for a stop
			h.pause()
			h.send("", of(unconfirmed...))
		}
	case n < 72:
		h.send("", of("\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1bOF", "\t", "\x1b[Z",
			"\x7f"))
	case n < 75: // an arrow on a slow line
		h.send("", "\x1b")
		h.pause()
		h.send("", of("[A", "[5~", "OB"))
	case n < 79:
		h.send("", "\x1b")
	case n < 90: // ctrl and a letter, but for c, d, n, m, i, j and h
		h.send("", of("\x01", "\x02", "\x05", "\x06", "\x07", "\x0b", "\x0c", "\x0f", "\x10", "\x11", "\x12",
			"\x13", "\x14", "\x15", "\x16", "\x17", "\x18", "\x19", "\x1a", "\x1c"))
	case n < 94:
		word := of(h.words()...)
		h.send(word, "\x1b[200~"+of("", "\u202e", "\x03y", "y\n")+word+of("\n", "\r", "\n\n")+"\x1b[201~")
	case n < 96: // the question is seen, or not
		h.send("", of("\x03", "\x0e"))
		if h.random.IntN(2) > 0 {
			h.rest()
		}
		h.send("", of(unconfirmed...))
	case n < 97:
		h.send("", "\x04")
	default:
		h.resize(20+h.random.IntN(180), 5+h.random.IntN(60))
	}
}

// asked is what a page asks people to type.
var asked = regexp.MustCompile(`\w+: type (\w+)`)

// helps waits until a page takes keys, and does what it may ask: takes what is proposed, ends it, signs with the
// word that was asked for last, or logs in.
func (h *leaning) helps() {
	h.t.Helper()
	h.rest()
	last := h.last()
	all := asked.FindAllSubmatch(last, -1)
	switch n := h.random.IntN(4); {
	case lentForPIN(last):
		if n > 0 {
			h.send("", "\x15"+handsPIN+"\r")
		}
	case n == 0:
		h.send("", "\x15\r")
	case n < 3 && len(all) > 0:
		word := string(all[len(all)-1][1])
		h.send(word, "\x15"+word+"\r")
	default:
		h.send("", "\r")
	}
}

// lentForPIN reports whether what was written last is the question for the PIN, which has the keyboard.
func lentForPIN(last []byte) bool {
	at := bytes.LastIndex(last, []byte("PIN of token"))
	return at >= 0 && !bytes.ContainsAny(last[at:], "\r\n\x1b")
}
