package provider

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
)

// Kind is what is known of a provider before it is open.
type Kind interface {
	// Name is the kind's: in configuration, lock and envelopes.
	Name() string
	// Facts are all that the provider may report of itself, and of a key. Its process may
	// run a module, which may report others.
	Facts() []Fact
	// OnToken reports that the keys are in a token, which nobody touches before people
	// are there. Else they are configuration: a wrong one is found at once, and people may
	// place one on the hosts before a ceremony makes it a version.
	OnToken() bool
}

// Fact is one that a provider reports, under its name in the transcript.
type Fact struct {
	Name   string
	Stable bool // the same in each ceremony, unless people decide otherwise
	Plan   bool // every plan names it
}

// Settings are a kind's section of the configuration, and open its provider. A kind's
// package implements them; the program registers each kind once. What not every kind has is
// an interface of its own: Sessions, Processes, Pinned, Deadline.
type Settings interface {
	Kind
	// Read is the section that decode fills in; where there is none it fills in nothing.
	Read(decode func(into any) error) (Settings, error)
	// Check refuses settings that cannot open a provider.
	Check() error
	// Open opens the provider in this process.
	Open() (Provider, error)
	// Pin reports what is known of the provider before anything of it runs, as facts, and
	// returns settings that open just that or nothing.
	Pin() (Settings, map[string]string, error)
	// Inherits reports whether the provider's process gets a variable of the environment.
	Inherits(variable string) bool
}

// Sessions are Settings of a provider that can be told how many sessions re-wrap at once.
type Sessions interface {
	WithSessions(n int) Settings
}

// Processes are Settings of a provider that may be kept in several processes, which re-wrap at once:
// many modules do one thing at a time in each.
type Processes interface {
	// Processes is how many; 0: one, or several where a trial shows that they are faster.
	Processes() int
	WithProcesses(n int) Settings
}

// Pinned are Settings of a provider that may be lost and opened again.
type Pinned interface {
	// PinnedTo are settings that open what described itself so, and nothing else.
	PinnedTo(about map[string]string) Settings
}

// Deadline are Settings that say how long a call may take; 0: the usual time.
type Deadline interface {
	CallDeadline() time.Duration
}

// Limited are Settings of a provider whose keys processes of the fleet need not be able to make,
// change or destroy: they may log in as a user who only uses keys.
type Limited interface {
	// ForProcess are the settings for a process of the fleet. Its Probe finds out what that
	// user can do to keys.
	ForProcess() Settings
	// TrialKey is a key of no value, for Generate, that such a probe tries to destroy.
	TrialKey() kek.Name
}

// ForProcess are the settings for a process of the fleet.
func ForProcess(s Settings) Settings {
	if l, ok := s.(Limited); ok {
		return l.ForProcess()
	}
	return s
}

// Facts of a key that was made outside a ceremony: what it is called where it lives.
const (
	KeyLabel = "label" // printable text
	KeyID    = "id"    // CKA_ID, hex
)

// Names are those of all facts.
func Names(k Kind) []string { return names(k.Facts(), func(Fact) bool { return true }) }

// Stable are the names of the facts that stay the same from ceremony to ceremony.
func Stable(k Kind) []string { return names(k.Facts(), func(f Fact) bool { return f.Stable }) }

// InPlan are the names of the facts that every plan names, in the order of the plan.
func InPlan(k Kind) []string { return names(k.Facts(), func(f Fact) bool { return f.Plan }) }

func names(facts []Fact, wanted func(Fact) bool) (out []string) {
	for _, f := range facts {
		if wanted(f) {
			out = append(out, f.Name)
		}
	}
	return out
}
