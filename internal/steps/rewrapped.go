package steps

import (
	"strconv"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// rewrapped is how many envelopes a ceremony re-wrapped, by the lines of its log: a re-wrap that fails or is stopped
// notes its own count, and the next try begins again at zero.
type rewrapped struct {
	before  int  // by tries that did not end it
	last    int  // by the one that did
	unknown bool // a run may have ended in it without a count, as one that is killed does
}

// rewrappedBy adds up what a log says. A run that ended in order said how much, or why it ended; of any other nobody
// knows.
func rewrappedBy(log transcript.Events) (r rewrapped) {
	began, said := false, false // the re-wrap, and what the run in hand did
	for _, e := range log {
		n, err := strconv.Atoi(e.Facts[transcript.FactRewraps])
		counts := e.Step == transcript.ActRewrap && err == nil
		switch {
		case e.Kind == transcript.Begun && e.Step == transcript.ActRewrap:
			began, said = true, false
		case e.Kind == transcript.Noted && counts:
			r.before, said = r.before+n, true
		case e.Kind == transcript.Failed && e.Step == transcript.ActRewrap:
			said = false // it may have been tried again
		case e.Kind == transcript.Noted && e.Facts[transcript.FactInterrupted] != "", e.Kind == transcript.Waiting:
			said = true
		case e.Kind == transcript.Done && e.Step == transcript.ActRewrap:
			r.last, began = n, false
		case e.Kind == transcript.Resumed:
			r.unknown = r.unknown || began && !said
			said = false
		}
	}
	return r
}

// String is for the page that people sign.
func (r rewrapped) String() string {
	s := printable.Count(r.before+r.last) + " envelopes re-wrapped, each checked before it was written."
	if r.before > 0 {
		s += " Of these, " + printable.Count(r.before) + " were re-wrapped before an interruption."
	}
	if r.unknown {
		s = "At least " + s + " A run that ended without a count may have re-wrapped more."
	}
	return s
}
