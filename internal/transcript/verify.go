package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// ErrIncomplete is returned for a bundle that holds nothing wrong, but is not
// finished: not closed, or signed at the end by fewer than M.
var ErrIncomplete = errors.New("incomplete")

// Verify reads a bundle directory and checks it by itself. A *RuleError says which
// rule is broken and names the line or the file.
func Verify(dir string) (Report, error) {
	b, err := ReadBundle(dir)
	if err != nil {
		return b.unread(err)
	}
	return b.Verify()
}

// Verify checks a bundle by itself: chain of lines, embedded files, statements,
// signatures, quorum before every act, finals.
func (b Bundle) Verify() (Report, error) {
	v := &verifier{Report: Report{Bundle: b, Finals: map[string]Verdict{}, counters: quorum.Counters{}, firsts: quorum.Counters{}},
		used: map[string]bool{logFile: true}, kept: map[Rule]bool{}, requests: map[string]request{}, attended: map[string]bool{},
		purposes: map[string]quorum.Purpose{}, came: map[string]bool{}, approved: map[string]string{}, open: map[string]bool{}, begunOf: map[string]bool{}}
	err := v.verify()
	v.Judgements = judgements(v.kept, err)
	return v.Report, err
}

// verifier walks a log once and keeps what later lines need.
type verifier struct {
	Report
	used map[string]bool
	kept map[Rule]bool

	requests map[string]request // by step
	asked    int
	purposes map[string]quorum.Purpose // of each step's requests: one
	came     map[string]bool           // who attended at any time
	attended map[string]bool           // since the last resume that ended attendance
	joined   []string                  // who has proved to hold a key of the next roster
	approved map[string]string         // step of an act -> step of its approval
	open     map[string]bool           // acts begun and not done
	begunOf  map[string]bool           // approvals of which an act was begun
	changes  bool                      // the next roster has taken effect
	last     Kind                      // of the line before
}

// broken is the error of a rule that is not kept.
func broken(rule Rule, format string, args ...any) error {
	return &RuleError{rule, fmt.Errorf(format, args...)}
}

func (v *verifier) verify() error {
	torn, err := v.log()
	if err != nil {
		return err
	}
	v.kept[RuleLog] = true
	for i, e := range v.Events {
		if err := v.event(e); err != nil {
			return at(fmt.Sprintf("%s line %d", logFile, i+1), err)
		}
		v.last = e.Kind
	}
	for _, rule := range []Rule{RuleRoster, RuleSignatures, RuleQuorum, RuleOrder} {
		v.kept[rule] = true
	}
	if err := v.finals(); err != nil {
		return err
	}
	for _, name := range sorted(v.Bundle.files) {
		if !v.used[name] {
			return broken(RuleFiles, "%s: the log knows no such file", printable.Text(name))
		}
	}
	v.kept[RuleFiles] = true
	if torn != nil {
		return torn
	}
	return v.complete()
}

// at puts the place before what a rule says.
func at(place string, err error) error {
	var r *RuleError
	if errors.As(err, &r) {
		return &RuleError{r.Rule, fmt.Errorf("%s: %w", place, r.Err)}
	}
	return fmt.Errorf("%s: %w", place, err)
}

// log parses the whole log. A torn last line is no more than incomplete, as long as
// the ceremony is open.
func (v *verifier) log() (torn, err error) {
	data := v.Bundle.files[logFile]
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if v.Events, err = ParseLog(whole); err != nil {
		return nil, &RuleError{RuleLog, err}
	}
	n := len(v.Events)
	if len(whole) != len(data) {
		torn = broken(RuleLog, "%s line %d: no line feed at its end: %w", logFile, n+1, ErrIncomplete)
		if _, closed := v.Bundle.files[CoreFile]; closed {
			return nil, broken(RuleLog, "%s line %d: bytes after the last line feed", logFile, n+1)
		}
	}
	if n == 0 {
		return nil, broken(RuleLog, "%s: no line: %w", logFile, ErrIncomplete)
	}
	v.mode = quorum.Mode(v.Events[0].Facts[FactMode])
	if v.mode != quorum.Production && v.mode != quorum.Rehearsal {
		return nil, broken(RuleLog, "%s line 1: mode %s", logFile, printable.Quote(string(v.mode)))
	}
	return torn, nil
}

func (v *verifier) event(e Event) error {
	for name, data := range e.files() {
		if have, ok := v.Bundle.files[name]; !ok {
			return broken(RuleFiles, "%s is missing", printable.Text(name))
		} else if !bytes.Equal(have, data) {
			return broken(RuleFiles, "%s differs from what the log embeds", printable.Text(name))
		}
		v.used[name] = true
	}
	if name := e.misplaced(); name != "" {
		return broken(RuleOrder, "fact %s in a %s line", printable.Text(name), e.Kind)
	}
	switch e.Kind {
	case Asked, Plan, Signed, Gathered, Begun, Done, Closed:
		if v.Roster.M == 0 { // of none everything would be enough
			return broken(RuleRoster, "a %s line before any roster", e.Kind)
		}
	}
	switch e.Kind {
	case Roster:
		return v.roster(e)
	case NextRoster:
		return v.nextRoster(e)
	case Asked, Plan:
		return v.request(e)
	case Signed:
		return v.signature(e)
	case Gathered:
		return v.gathered(e)
	case Begun:
		return v.begun(e)
	case Done:
		if err := v.covered(e); err != nil {
			return err
		}
		delete(v.open, e.Step)
		return v.change(e)
	case Deviation:
		v.Deviations = append(v.Deviations, e)
	case Answered:
		if d := e.Facts["differed"]; d != "" && d != "none" && !slices.ContainsFunc(v.Deviations, func(d Event) bool { return d.Step == e.Step }) {
			return broken(RuleOrder, "what differed is in no deviation line before")
		}
	case Resumed:
		if v.last != Waiting {
			v.expire()
		}
	case Closed:
		if o := e.Facts[FactOutcome]; o != OutcomeDone && o != OutcomeAborted {
			return broken(RuleOrder, "closed with outcome %s", printable.Quote(o))
		}
		if len(v.open) > 0 && e.Facts[FactOutcome] == OutcomeDone {
			return broken(RuleOrder, "closed as done, but %s is not", strings.Join(sorted(v.open), ", "))
		}
	}
	return nil
}

// expire forgets what a resume ends: attendance, and approvals of which no act
// was begun.
func (v *verifier) expire() {
	v.attended = map[string]bool{}
	for step := range v.requests {
		if !v.begunOf[step] {
			delete(v.requests, step)
		}
	}
}

func (v *verifier) roster(e Event) (err error) {
	if len(v.Roster.Members) > 0 {
		return broken(RuleRoster, "a second roster")
	}
	v.Roster, err = rosterOf(e, FactRoster, v.mode)
	v.Next = v.Roster
	return err
}

func rosterOf(e Event, fact string, mode quorum.Mode) (quorum.Roster, error) {
	r, err := quorum.ParseRoster([]byte(e.Facts[fact]), mode)
	if err == nil && e.Facts[fact+"_sha256"] != r.Digest() {
		err = fmt.Errorf("%s_sha256 is not its digest", fact)
	}
	if err != nil {
		err = &RuleError{RuleRoster, err}
	}
	return r, err
}

// nextRoster takes the roster that is to be; a later one takes the place of it.
func (v *verifier) nextRoster(e Event) (err error) {
	if v.changes {
		return broken(RuleRoster, "a roster after the change")
	}
	v.Next, err = rosterOf(e, FactNextRoster, v.mode)
	v.joined = nil
	for step, r := range v.requests {
		if r.Purpose == quorum.Join {
			delete(v.requests, step)
		}
	}
	return err
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
