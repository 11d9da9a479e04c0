// Package engine runs a ceremony, and knows none. A ceremony is a list of named steps;
// the engine runs them one after the other with the people in the room, and is the
// transcript's only writer. The wizard and the unattended mode run the same steps and
// leave the same transcript (promise 7).
package engine

import (
	"slices"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// engine runs one ceremony, in one goroutine.
type engine struct {
	Ceremony
	site    *Site
	room    Room
	steps   []Step
	log     *transcript.Writer
	view    View
	resumed bool
	found   int               // lines that this run found in the log
	aborts  bool              // the ceremony is being aborted
	did     Facts             // what it had done by then
	warning string            // what people must know before they sign the end
	answers map[string]string // of this run, by question: what was typed and taken
	// comparisons are those that were made when the log was closed.
	comparisons []Comparison
	asks        []int       // the run of questions answered in this run, by step
	asking      func(*View) // fills the page of the question that is open; nil: none is
}

func (e *engine) step(name string) Step {
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Name == name })
	return e.steps[i]
}

// voids reports whether this run gives the ceremony up.
func (e *engine) voids() bool { return e.aborts && e.Void != nil }

func newEngine(parts Parts, room Room, c Ceremony) *engine {
	return &engine{
		Ceremony: c,
		site:     &Site{Parts: parts, Chain: parts.PinnedChain, Provider: parts.OpenedProvider},
		room:     room,
		answers:  map[string]string{},
	}
}

// facts are what the log records so far.
func (e *engine) facts() Facts { return e.log.State.Facts }
