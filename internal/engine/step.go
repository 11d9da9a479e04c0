package engine

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Facts are answered or found; each stands in an event, so that a resume folds
// the events and continues.
type Facts = transcript.Facts

// Step is one of four: Ask (a form), Look (reads, may wait), Gather
// (signatures), Act (commits). Exactly one of them is set.
type Step struct {
	Name  string // in events; lower case
	Title string
	Why   string          // one sentence for the people
	Who   string          // who acts; empty: as the step's kind says
	Ends  transcript.Kind // of the line that ends it; empty: as the step's kind says
	// EveryRun is for what a new run of the tool cannot take over from an earlier
	// one: attendance, a login, a probe.
	EveryRun bool
	// Reach is for what makes the keys reachable. It is run again when the token or
	// its module was lost, before the step that lost it is.
	Reach bool
	// Holds is for what people must see: its page stays until somebody has read it.
	Holds bool

	Ask    *Form
	Look   func(context.Context, *Site, Facts, Desk) (Facts, error)
	Gather *Gather
	Act    *Act
}

// ends is the kind of the line that ends a step that asks or looks.
func (s Step) ends() transcript.Kind {
	switch {
	case s.Ends != "":
		return s.Ends
	case s.Ask != nil:
		return transcript.Answered
	}
	return transcript.Found
}

// Form is a run of questions.
type Form struct {
	Fields []Field
	// Shows is what people must know to answer; nil: nothing that is not on the page.
	Shows func(*Site) []Detail
	// Reports finds a deviation among the answers: it becomes a line before them.
	Reports func(Facts) (deviation Facts, ok bool)
}

// Field is one question. Check refuses an answer and returns the facts it stands for.
// A refusal never repeats the answer: it may be a PIN that was typed too early.
type Field struct {
	Name     string
	Question string
	Help     string // the form of an answer
	Example  string // of an answer, for a refusal where nothing is proposed
	Check    func(s *Site, answer string) (Facts, error)
	Propose  func(*Site) string // the likely answer, or ""; nil: none is known
}

// Gather collects signatures of one purpose.
type Gather struct {
	Purpose quorum.Purpose
	Acts    []string // for Approve: the steps whose joined plan is signed
	Effects []Effect // for Approve: of what is no act
	All     bool     // everyone of the roster must sign, not M
}

// Act changes something.
type Act struct {
	// Fresh acts must not be found done before they were begun: somebody else
	// did them.
	Fresh bool
	// Plan is the same bytes for the same world.
	Plan func(*Site, Facts) []Effect
	// State looks at the world. It answers after Do and on resume alike.
	State func(context.Context, *Site, Facts) (State, Facts, error)
	// Do does it; doing it twice is doing it once. Its facts join those of State.
	Do func(context.Context, *Site, Facts, Desk) (Facts, error)
}

// State of an act.
type State int

// The states.
const (
	NotBegun State = iota
	Partly
	Done
)

// Effect is one line of a plan. Estimate is shown, never signed.
type Effect = signing.Effect

// Desk is what the engine lends to a step while it runs.
type Desk struct {
	Show func(func(*View))
	Note func(context.Context, Facts) error // an event that changes no fact
	Log  transcript.Events                  // the lines that were there when the step began
	Lend func(context.Context, func(*term.Terminal) error) error
	// Approve has M sign effects that are no act's, under a step's name.
	Approve func(ctx context.Context, step string, effects ...Effect) error
}
