package keeper

import (
	"bytes"
	"os"
	"regexp"
	"sync/atomic"

	"github.com/certautopilot/kekceremony/internal/secret"
)

// lastWords listens to the child's standard error, and keeps of it the name of a
// signal that the Go runtime died of, and nothing else. Whatever a module prints may
// hold a PIN: it is read into locked memory and wiped.
type lastWords struct {
	signal atomic.Pointer[string]
	heard  chan struct{} // closed at the end
}

// died is how the runtime tells it: of a signal in Go code, and in C code.
var died = regexp.MustCompile(`^(?:\[signal )?(SIGABRT|SIGBUS|SIGFPE|SIGILL|SIGSEGV|SIGSYS|SIGTRAP)\b`)

// maxLine bounds a line in bytes; longer ones are none of the runtime's.
const maxLine = 4096

func (w *lastWords) listen(from *os.File) {
	defer close(w.heard)
	defer from.Close()
	page, err := secret.New(maxLine)
	if err != nil {
		return // nothing is told
	}
	defer page.Wipe()
	room, n := page.Room(), 0
	for {
		m, err := from.Read(room[n:])
		if err != nil {
			return
		}
		for n += m; ; {
			end := bytes.IndexByte(room[:n], '\n')
			if end < 0 {
				break
			}
			if found := died.FindSubmatch(room[:end]); found != nil {
				signal := string(found[1])
				w.signal.Store(&signal)
			}
			n = copy(room, room[end+1:n])
		}
		if n == len(room) {
			n = 0
		}
	}
}
