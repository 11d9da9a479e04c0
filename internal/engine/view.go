package engine

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// View is everything there is to see at one moment.
type View struct {
	Kind      string
	From, To  kek.Version
	Rehearsal bool
	Replay    bool   // of a ceremony that was held: nothing is asked or signed
	Step      string // name; empty before the first and after the last
	Title     string
	Why       string
	N, Of     int
	Steps     []Stage // all Of
	Started   time.Time
	Attended  string   // who attends
	Continues string   // where an earlier run stopped; empty: there was none
	Earlier   bool     // they attended an earlier run: nobody has said yet that they are here
	People    []Person // of the roster
	Quorum    string   // "2 of 3"
	Everybody bool     // attendance needs the whole roster
	Aborts    bool     // the ceremony is being ended before it is done
	Command   string   // that continues the ceremony, after this run; empty: nobody knows
	Details   []Detail
	Probe     []Verdict
	Fleet     *Fleet
	Progress  *Progress
	Waiting   string   // why a step waits
	Since     string   // when it began to wait, as 14:05:01 UTC
	Remedy    string   // what ends the waiting
	Log       []string // the last events, oldest first
	Reported  int      // deviations in the log
	Ending    *Ending
}

// Stage is a step as the list of all steps shows it.
type Stage struct {
	Title   string
	At      string // when it ended, as 14:05:01 UTC; empty: it did not
	Earlier bool   // it ended in an earlier run, and is not done again
	Minutes int    // planned for it
}

// Person is one of the roster's.
type Person struct {
	Name     string
	Here     bool // attends
	Approves bool // else a witness
	Signed   []Signature
}

// Signature is what a person signed in this ceremony, and when.
type Signature struct {
	Step, At string
	Run      int // an earlier run, from 1; 0: the one that is on
}

// clear takes away what a step found.
func (v *View) clear() {
	v.Details, v.Probe, v.Fleet, v.Progress, v.Waiting, v.Remedy = nil, nil, nil, nil, "", ""
}

// Finals makes it the page on which people sign the end, or the abort.
func (v *View) Finals(aborted bool) {
	v.Step, v.Title = "finals", "Sign the end"
	v.Why = "Did the ceremony go as its steps say? Each of you answers with one word."
	if aborted {
		v.Title, v.Why = "Sign the abort", "The ceremony ends here, and what it did stays done. Each of you says in one "+
			"word whether it ends as this page says."
	}
}

// Detail is a name and a value on a page.
type Detail struct{ Name, Value string }

// Ending is the last page.
type Ending struct {
	Bundle string
	Digest string // of final.txt; empty: nobody signed
	// Following says what a rehearsal does after this ceremony; empty: nothing.
	Following string
	Summary   []string
	Next      []Next   // each in full
	Signed    []string // who signed the end, with verdict
	Signer    string   // one of them, for the command line
	Space     string   // namespace of the finals
}

// Next is a command that people may run after a ceremony. Label says what for.
type Next struct{ Label, Command string }

// Lines are the final digest, if people signed one, and the path of the bundle. They stay on the
// terminal when the wizard's screen is gone, and end the standard output of an unattended run.
func (e *Ending) Lines() []string {
	if e.Digest == "" {
		return []string{"transcript    " + printable.Line(e.Bundle)}
	}
	return []string{"final digest  " + e.Digest, "transcript    " + printable.Line(e.Bundle)}
}
