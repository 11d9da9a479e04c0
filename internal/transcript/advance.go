package transcript

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// advance takes one line. After an error the state is not to be used.
func (s *State) advance(e Event) error {
	if s.lines == 0 {
		if err := s.opened(e); err != nil {
			return err
		}
	}
	if err := s.allowed(e); err != nil {
		return err
	}
	if err := s.take(e); err != nil {
		return err
	}
	if s.newest() {
		if err := s.strict(e); err != nil {
			return err
		}
	}
	s.fold(e)
	s.last, s.lines = e, s.lines+1
	return nil
}

// opened takes the first line.
func (s *State) opened(e Event) error {
	*s = State{
		first:    e,
		Facts:    Facts{},
		requests: map[string]Requested{},
		purposes: map[string]quorum.Purpose{},
		came:     map[string]bool{},
		attended: map[string]bool{},
		approved: map[string]string{},
		begun:    map[string]bool{},
		done:     map[string]bool{},
		open:     map[string]bool{},
		begunOf:  map[string]bool{},
		ended:    map[ending]bool{},
		counters: quorum.Counters{},
		firsts:   quorum.Counters{},
	}
	if e.Kind != Opened {
		return broken(RuleLog, "the first line is %s, not %s", printable.Text(string(e.Kind)), Opened)
	}
	if m := s.Mode(); m != quorum.Production && m != quorum.Rehearsal {
		return broken(RuleLog, "mode %s", printable.Quote(string(m)))
	}
	if _, err := kek.ParseChain(e.Facts[FactChain]); err != nil {
		return &RuleError{RuleLog, err}
	}
	if f := e.Facts[FactFormat]; f != Format && f != FormatV1 {
		return broken(RuleLog, "format %s, want %s", printable.Quote(f), Format)
	}
	if !digestForm.MatchString(e.Prev) {
		return broken(RuleLog, "prev %s: want a SHA-256 in hex", printable.Quote(e.Prev))
	}
	number := e.Facts[FactCeremony]
	if n, err := strconv.Atoi(number); err != nil || n < 1 || strconv.Itoa(n) != number { // "02" would be another text
		return broken(RuleLog, "ceremony %s: want a number from 1", printable.Quote(number))
	}
	if bound, ok := e.Facts[FactBound]; ok && (bound != "yes" || !slices.Contains(Required(e.Facts), ActGenerate)) {
		return broken(RuleLog, "bound %s: want yes, of a ceremony that makes a version", printable.Quote(bound))
	}
	return nil
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// allowed refuses what no line of a kind may say, or not yet.
func (s *State) allowed(e Event) error {
	if s.Outcome != "" {
		return broken(RuleLog, "it follows the closing line")
	}
	if s.lines > 0 && e.Kind == Opened {
		return broken(RuleLog, "a second %s line", Opened)
	}
	if !slices.Contains(kinds, e.Kind) {
		return broken(RuleLog, "kind %s", printable.Quote(string(e.Kind)))
	}
	if name := e.misplaced(); name != "" {
		return broken(RuleOrder, "fact %s in a %s line", printable.Text(name), e.Kind)
	}
	switch e.Kind {
	case Asked, Plan, Signed, Gathered, Begun, Done, Closed:
		void := e.Kind == Closed && e.Facts[FactOutcome] == OutcomeVoid
		if s.Roster.M == 0 && !void { // of none everything would be enough
			return broken(RuleRoster, "a %s line before any roster", e.Kind)
		}
	}
	return nil
}

// take does what a line of a kind means.
func (s *State) take(e Event) error {
	switch e.Kind {
	case Roster:
		return s.takeRoster(e)
	case NextRoster:
		return s.takeNextRoster(e)
	case Asked, Plan:
		return s.takeRequest(e)
	case Signed:
		return s.takeSignature(e)
	case Gathered:
		return s.takeGathered(e)
	case Begun:
		return s.takeBegun(e)
	case Done:
		return s.takeDone(e)
	case Answered:
		return s.takeAnswer(e)
	case Closed:
		return s.takeEnd(e)
	case Deviation:
		s.Deviations = append(s.Deviations, e)
	case Noted:
		return s.takeNoted(e)
	case Resumed:
		if s.last.Kind != Waiting {
			s.expire()
		}
	}
	return nil
}

// fold joins the facts of a line that changes one, and remembers the steps that ended.
func (s *State) fold(e Event) {
	switch e.Kind {
	case Opened:
		maps.Copy(s.Facts, e.Facts)
	case Roster, NextRoster, Answered, Found, Gathered, Done:
		maps.Copy(s.Facts, e.Facts)
		s.ended[ending{e.Step, e.Kind}] = true
	case Begun:
		s.Facts[FactBegun+e.Step] = "yes"
	case Noted:
		if e.Step == ActDestroy && e.Facts[FactAttempt] != "" {
			s.attempted()
		}
	}
}

// expire forgets what a resume ends: attendance, and approvals of which no act was
// begun. One after a wait for people ends nothing.
func (s *State) expire() {
	s.attended = map[string]bool{}
	for step := range s.requests {
		if !s.begunOf[step] {
			delete(s.requests, step)
		}
	}
}

// takeNoted takes whether a destruction that was begun left the key as it was: the provider refused, or M approved
// that the key is kept.
func (s *State) takeNoted(e Event) error {
	_, kept := e.Facts[FactKept]
	_, attempt := e.Facts[FactAttempt]
	if e.Step == ActDestroy && attempt {
		if err := s.mayStillDestroy(e); err != nil {
			return err
		}
	}
	switch {
	case !s.begun[ActDestroy]:
	case e.Step == ActDestroy:
		s.kept = kept
	case e.Step == StepKeep && kept:
		if r := s.requests[StepApproveKeep]; r.Purpose != quorum.Approve || !r.Gathered {
			return broken(RuleQuorum, "a key was kept before %d approved it", s.Roster.M)
		}
		s.kept = true
	}
	return nil
}

// takeAnswer demands that what people report stands in a deviation line before.
func (s *State) takeAnswer(e Event) error {
	reported := e.Facts[FactDiffered]
	if reported == "" || reported == NothingDiffered {
		return nil
	}
	if !slices.ContainsFunc(s.Deviations, func(d Event) bool { return d.Step == e.Step }) {
		return broken(RuleOrder, "a change has no deviation line before it")
	}
	return nil
}

// attendanceGathered reports whether M attend now: since the last resume that ended it.
func (s *State) attendanceGathered() bool {
	for _, r := range s.requests {
		if r.Purpose == quorum.Attend && r.Gathered {
			return true
		}
	}
	return false
}

// Attendance is who attends, as the log says it: empty before they were gathered, and after a
// resume that ended it.
func (s State) Attendance() string {
	if !s.attendanceGathered() {
		return ""
	}
	return s.Facts[FactAttended]
}

// takeEnd takes the closing line. One that says done leaves no act half done; a ceremony is
// aborted by people who attend for it.
func (s *State) takeEnd(e Event) error {
	outcome := e.Facts[FactOutcome]
	switch outcome {
	case OutcomeDone, OutcomeAborted:
	case OutcomeVoid:
		s.Outcome = outcome
		if err := s.takeVoid(); err != nil {
			return err
		}
		return s.sameActs(e)
	default:
		return broken(RuleOrder, "closed with outcome %s", printable.Quote(outcome))
	}
	if outcome == OutcomeAborted && !s.attendanceGathered() {
		return broken(RuleQuorum, "aborted before %d attended for it", s.Roster.M)
	}
	if outcome == OutcomeAborted && s.open[ActDestroy] && !s.kept {
		return broken(RuleOrder, "aborted, but the destruction of a key was begun")
	}
	s.Outcome = outcome
	if outcome == OutcomeAborted {
		return s.sameActs(e)
	}
	if len(s.open) > 0 {
		return broken(RuleOrder, "closed as done, but %s is not", strings.Join(slices.Sorted(maps.Keys(s.open)), ", "))
	}
	return nil
}

// sameActs demands of the line of an abort, or of an install that is given up, that it names the
// acts that were done, and those that were begun and are not done, as the log does.
func (s *State) sameActs(e Event) error {
	for name, acts := range map[string]map[string]bool{FactDone: s.done, FactHalfDone: s.open} {
		text, ok := e.Facts[name]
		named := strings.Split(text, ", ")
		if text == "none" {
			named = nil
		}
		slices.Sort(named)
		if ok && !slices.Equal(named, slices.Sorted(maps.Keys(acts))) {
			return broken(RuleOrder, "closed as %s, but %s is not %s", s.Outcome, name, printable.Text(text))
		}
	}
	return nil
}

// takeVoid takes the last line of an install that is given up. What made something can never
// be: so nobody passes a ceremony off as void. Who attended is asked: M of the roster attend.
func (s *State) takeVoid() error {
	opened := s.first.Facts
	switch {
	case !Founds(opened[FactKind]), opened[FactCeremony] != "1", s.first.Prev != NoDigest:
		return broken(RuleOrder, "closed as void, and it is not the first ceremony of a chain")
	case len(s.done) > 0:
		return broken(RuleOrder, "closed as void, but done is %s", strings.Join(slices.Sorted(maps.Keys(s.done)), ", "))
	case !s.Ended(StepVoid, Answered), s.Facts[FactOperator] == "", s.Facts[FactReason] == "":
		return broken(RuleOrder, "closed as void, and nobody says who gave it up and why")
	case s.Came() && !s.attendanceGathered():
		return broken(RuleQuorum, "closed as void before %d attended for it", s.Roster.M)
	}
	return nil
}

// StateOf is the state of a whole log. A *RuleError says which line breaks which rule.
func StateOf(events Events) (State, error) {
	var s State
	for _, e := range events {
		if err := s.advance(e); err != nil {
			return s, atLine(e, err)
		}
	}
	return s, nil
}

// Advance returns the state after one more line, or a *RuleError when the line breaks a
// rule. The state that it was called on stays as it is.
func (s State) Advance(e Event) (State, error) {
	next := s.clone()
	if err := next.advance(e); err != nil {
		return s, err
	}
	return next, nil
}
