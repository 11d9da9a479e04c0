package tui

import (
	"os"
	"time"
)

// What a terminal sends before and after what is pasted.
const (
	pasteBegins = "\x1b[200~"
	pasteEnds   = "\x1b[201~"
)

// pasteRest is how long a paste that has not ended may bring nothing: a line of 9600 baud brings a byte each
// millisecond.
const pasteRest = time.Second

// keyboard is the terminal's input. Bubble Tea waits for the end of a paste, whatever is typed meanwhile. Where that
// end was lost, as on a serial line without flow control, the keyboard would be dead, ctrl+c with it: a key that is
// pressed after a rest ends the paste. It is of one goroutine.
type keyboard struct {
	*os.File
	rest  time.Duration
	open  bool                   // a paste began, and has not ended
	tail  [len(pasteBegins)]byte // what was read last
	since time.Time              // something but ctrl+c was: people press that more than once
}

// Read implements io.Reader. It is called when there is something to read.
func (k *keyboard) Read(into []byte) (int, error) {
	lead := 0
	if k.open && time.Since(k.since) >= k.rest && len(into) > len(pasteEnds) {
		lead = copy(into, pasteEnds)
		k.open = false
	}
	n, err := k.File.Read(into[lead:])
	if n <= 0 {
		k.open = k.open || lead > 0
		return n, err
	}
	k.saw(into[lead : lead+n])
	return lead + n, err
}

// saw follows where a paste begins and ends.
func (k *keyboard) saw(keys []byte) {
	for _, key := range keys {
		copy(k.tail[:], k.tail[1:])
		k.tail[len(k.tail)-1] = key
		switch string(k.tail[:]) {
		case pasteBegins:
			k.open = true
		case pasteEnds:
			k.open = false
		}
		if key != '\x03' {
			k.since = time.Now()
		}
	}
}
