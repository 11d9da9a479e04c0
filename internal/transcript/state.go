package transcript

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// State is what the lines of a log say so far: who may sign, who attends, what was
// asked, approved, begun and done, what a resume has ended, and so what may come next.
// Advance moves it by one line. A verifier is that function over all lines; a writer
// asks it before each line (promise 8). The zero State is that of an empty log.
type State struct {
	Facts      Facts         // of every line that changes one; the later wins
	Roster     quorum.Roster // whose keys sign; zero before its line
	Next       quorum.Roster // proposed last, or Roster: whether it took effect, Changed says
	Deviations []Event
	Outcome    string // of the closing line; empty while the log is open

	first    Event
	last     Event
	lines    int
	asked    int                       // requests so far
	requests map[string]Requested      // by step, without those that a resume ended
	purposes map[string]quorum.Purpose // of each step's requests: one
	came     map[string]bool           // who attended at any time
	attended map[string]bool           // since the last resume that ended attendance
	joined   []string                  // who has proved to hold a key of the next roster
	approved map[string]string         // step of an act -> step of its approval
	begun    map[string]bool           // acts
	done     map[string]bool           // acts
	open     map[string]bool           // acts that are begun and not done
	begunOf  map[string]bool           // approvals of which an act was begun
	kept     bool                      // a key whose destruction was begun is as it was, after the last attempt
	keeping  bool                      // M approved that it is kept, in any run
	ended    map[ending]bool           // steps that have the line which ends one
	changed  string                    // digest of the roster that took effect
	counters quorum.Counters           // of authenticators, after the last signature
	firsts   quorum.Counters           // at each key's first signature
}

// ending is a line that ends a step.
type ending struct {
	step string
	kind Kind
}

// Requested is a request that still counts, and who has signed it, in order.
type Requested struct {
	Request
	Signed   []quorum.Proof
	Gathered bool // enough have signed, and the line that says so is there
}

func (s State) clone() State {
	s.Facts = maps.Clone(s.Facts)
	s.Deviations = slices.Clone(s.Deviations)
	s.requests = maps.Clone(s.requests)
	s.purposes = maps.Clone(s.purposes)
	s.came, s.attended = maps.Clone(s.came), maps.Clone(s.attended)
	s.joined = slices.Clone(s.joined)
	s.approved = maps.Clone(s.approved)
	s.begun, s.open, s.begunOf = maps.Clone(s.begun), maps.Clone(s.open), maps.Clone(s.begunOf)
	s.done, s.ended = maps.Clone(s.done), maps.Clone(s.ended)
	s.counters, s.firsts = maps.Clone(s.counters), maps.Clone(s.firsts)
	return s
}

// Opened are the facts of the first line, or none.
func (s State) Opened() Facts { return s.first.Facts }

// Began is when the first line was written, as the console claims it.
func (s State) Began() time.Time { return s.first.Clock() }

// Follows is the final digest of the ceremony before, or NoDigest.
func (s State) Follows() string { return s.first.Prev }

// Kept reports that a key whose destruction was begun is as it was: the provider refused, or people kept it.
func (s State) Kept() bool { return s.kept }

// Aborted reports that the log's ceremony was.
func (s State) Aborted() bool { return s.Outcome == OutcomeAborted }

// Mode is that of the first line.
func (s State) Mode() quorum.Mode { return quorum.Mode(s.first.Facts[FactMode]) }

// Last is the last line; its kind is empty while there is none.
func (s State) Last() Event { return s.last }

// Requested returns the request of a step that still counts.
func (s State) Requested(step string) (Requested, bool) {
	r, ok := s.requests[step]
	return r, ok
}

// Ended reports whether the log holds the line of a kind that ends a step.
func (s State) Ended(step string, kind Kind) bool { return s.ended[ending{step, kind}] }

// Begun reports whether an act was begun at any time.
func (s State) Begun(act string) bool { return s.begun[act] }

// Done reports whether an act was done, under its approval.
func (s State) Done(act string) bool { return s.done[act] }

// HalfDone lists the acts that were begun and are not done, by name.
func (s State) HalfDone() []string { return slices.Sorted(maps.Keys(s.open)) }

// Attends reports whether somebody is among those who attend.
func (s State) Attends(name string) bool {
	return slices.Contains(strings.Split(s.Facts[FactAttended], ", "), name)
}

// Changed is the digest of the roster that took effect in this ceremony; empty: none.
func (s State) Changed() string { return s.changed }

// NextRoster is the digest of the roster that the next ceremony uses.
func (s State) NextRoster() string {
	if s.changed != "" {
		return s.changed
	}
	return s.Roster.Digest()
}

// Counters are the last counters of authenticators.
func (s State) Counters() quorum.Counters { return s.counters }
