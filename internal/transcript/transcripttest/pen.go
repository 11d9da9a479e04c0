package transcripttest

import (
	"testing"
	"time"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Pen writes lines into a store as anyone who can write there does: chained, and by no rule.
type Pen struct {
	T      testing.TB
	Fence  transcript.Fence
	Events transcript.Events
	Prev   string // digest of the last line
}

// TakeUp is a pen after the lines that a store has. prev stands before the first one.
func TakeUp(t testing.TB, fence transcript.Fence, prev string) *Pen {
	t.Helper()
	p := &Pen{T: t, Fence: fence, Prev: prev}
	entries, err := fence.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, isLine := transcript.ParseEntryName(entry.Name); !isLine {
			continue
		}
		e, err := transcript.ParseLine(entry.Data)
		if err != nil {
			t.Fatal(err)
		}
		p.Events, p.Prev = append(p.Events, e), transcript.Digest(entry.Data)
	}
	return p
}

// Add writes the next line.
func (p *Pen) Add(kind transcript.Kind, step string, facts transcript.Facts) {
	p.T.Helper()
	e := transcript.Event{Prev: p.Prev, Seq: len(p.Events), Time: time.Now().UTC().Format(time.RFC3339), Kind: kind,
		Step: step, Facts: facts}
	line, err := e.Line()
	if err == nil {
		err = p.Fence.Append(p.T.Context(), transcript.EntryName(e.Seq), line)
	}
	if err != nil {
		p.T.Fatal(err)
	}
	p.Events, p.Prev = append(p.Events, e), transcript.Digest(line)
}

// Core is final.txt of the log, which must be closed.
func (p *Pen) Core() []byte {
	p.T.Helper()
	core, ok := (&Draft{T: p.T, Events: p.Events}).core()
	if !ok {
		p.T.Fatal("the log is not closed")
	}
	return core
}
