// Package steps is the engine and the ceremonies. A ceremony is a list of named
// steps; the engine holds them one after the other with the people in the room,
// and is the transcript's only writer. Wizard and unattended mode run the same
// steps and leave the same transcript (promise 7).
package steps

import (
	"context"
	"time"

	"github.com/certautopilot/kekceremony/internal/envelope"
	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/provider"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/rewrap"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/term"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Facts are answered or found; each stands in an event, so that a resume folds
// the events and goes on.
type Facts = transcript.Facts

// Step is one of four: Ask (a form), Look (reads, may wait), Gather
// (signatures), Act (commits). Exactly one of them is set.
type Step struct {
	Name  string // in events; lower case
	Title string
	Why   string // one sentence for the people
	// Anew is for what a new run of the tool cannot take over from an earlier
	// one: attendance, a login, a probe.
	Anew bool
	// Reach is for what makes the keys reachable. It is held again when the token or
	// its module was lost, before the step that lost it is.
	Reach bool

	Ask    *Form
	Look   func(context.Context, *Site, Facts, Desk) (Facts, error)
	Gather *Gather
	Act    *Act
}

// Form is a run of questions.
type Form struct{ Fields []Field }

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
type Effect struct{ Verb, Object, Undo, Estimate string }

// Tool is the running program.
type Tool struct{ Version, SHA256 string }

// FleetConfig says how often processes beat and who must be there.
type FleetConfig struct {
	Beat, Live time.Duration
	Expect     map[string]int // live processes by role
}

// Site is where a ceremony is held: real parts or a rehearsal's, never both.
type Site struct {
	Mode         quorum.Mode
	Tool         Tool
	Store        store.Store
	Bundles      string    // directory of all bundles
	Chain        kek.Chain // pinned by the configuration; drawn by install
	ProviderName string    // configured
	// OpenProvider opens it once known, if it is given, has nothing against what can be
	// told of it before a module of it runs.
	OpenProvider func(ctx context.Context, known func(about map[string]string) error) (provider.Provider, error)
	PIN          PIN
	Keys         []quorum.Key // files; an agent's are looked up when they are needed
	Founding     string       // pinned by the configuration: digest of the first final.txt
	RosterPath   string       // of a rehearsal's own roster, which install proposes
	Revoked      string       // file of revoked keys; empty: none
	Exchange     string       // directory of what is signed elsewhere; empty: beside the bundle
	Catalogue    envelope.Catalogue
	Fleet        FleetConfig
	From         kek.Version // the active version, as the command named it; 0: it named none
	Want         kek.Version // the target that the command named; 0: none
	Exclude      []string    // envelopes that a rotation may leave, by name
	Control      *rewrap.Control

	// Filled in as the ceremony goes on.
	Seq      int
	Bundle   string // path of this ceremony's
	Roster   quorum.Roster
	Next     quorum.Roster // that a roster ceremony puts in its place
	Provider provider.Provider
	reached  map[string]string // what the provider said of itself when it was probed last in this run
	History  History
	// Deviations that were decided in this ceremony.
	Deviations []Facts
}

// Name of a version's key in this chain.
func (s *Site) Name(v kek.Version) kek.Name { return kek.NameOf(s.Chain, v) }

// Desk is what the engine lends to a step while it runs.
type Desk struct {
	Show func(func(*View))
	Note func(context.Context, Facts) error // an event that changes no fact
	Lend func(context.Context, func(*term.Terminal) error) error
	// Approve has M sign effects that are no act's, under a step's name.
	Approve func(ctx context.Context, step string, effects ...Effect) error
}
