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

// maxRequests bounds how often a ceremony may ask for signatures.
const maxRequests = 1_000

// Report is what a verification found. It is whole as far as the verification came.
type Report struct {
	Bundle     Bundle
	Events     Events
	Roster     quorum.Roster
	Next       quorum.Roster      // proposed last, or Roster: whether it took effect, NextRoster says
	Finals     map[string]Verdict // by signer
	FinalSum   string             // SHA-256 of final.txt
	Deviations []Event
	Judgements []Judgement // one for each rule

	mode     quorum.Mode
	counters quorum.Counters // of authenticators, after the last signature
	firsts   quorum.Counters // at each key's first signature that counts
}

// Opened are the facts of the first line, or none.
func (r Report) Opened() Facts {
	if len(r.Events) == 0 {
		return nil
	}
	return r.Events[0].Facts
}

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

// request is what was asked for last in a step, and who has signed it.
type request struct {
	Request
	signed   []quorum.Proof
	gathered bool
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

func (v *verifier) request(e Event) error {
	if v.asked++; v.asked > maxRequests {
		return broken(RuleOrder, "more than %d requests", maxRequests)
	}
	req, err := RequestOf(v.Events[0], e)
	if err != nil {
		return &RuleError{RuleOrder, err}
	}
	if old, ok := v.purposes[e.Step]; ok && old != req.Purpose {
		return broken(RuleOrder, "step %s asks for two purposes", printable.Text(e.Step))
	}
	v.purposes[e.Step] = req.Purpose
	if req.Purpose == quorum.Join && e.Facts[FactNextRoster+"_sha256"] != v.Next.Digest() {
		return broken(RuleRoster, "asked for another roster than the next one")
	}
	if e.Kind == Plan {
		if Digest([]byte(e.Facts["plan"])) != e.Facts["sha256"] {
			return broken(RuleOrder, "sha256 is not the plan's")
		}
		for act := range strings.FieldsSeq(e.Facts["acts"]) {
			v.approved[act] = e.Step
		}
	}
	v.requests[e.Step] = request{Request: req}
	return nil
}

// by is the roster whose keys sign a request.
func (v *verifier) by(p quorum.Purpose) quorum.Roster {
	if p == quorum.Join {
		return v.Next
	}
	return v.Roster
}

// signature checks one statement: written again from the log, it must be the
// very bytes that were signed.
func (v *verifier) signature(e Event) error {
	file := printable.Text(e.Facts["file"])
	req, ok := v.requests[e.Step]
	if !ok {
		return broken(RuleOrder, "%s: nothing was asked", file)
	}
	p, err := v.by(req.Purpose).Check(req.Namespace(), SignedOf(e))
	if err != nil {
		return broken(RuleSignatures, "%s: %w", file, err)
	}
	if e.Facts["statement"] != string(req.Statement(p.Member)) || e.Facts["file"] != req.File(p.Name) {
		return broken(RuleSignatures, "%s: not the statement that was asked of %s", file, p.Name)
	}
	if e.Facts["namespace"] != req.Namespace() || e.Facts["key"] != p.Fingerprint() {
		return broken(RuleSignatures, "%s: namespace and key are not those that the line tells", file)
	}
	if slices.ContainsFunc(req.signed, func(q quorum.Proof) bool { return q.Name == p.Name }) {
		return broken(RuleSignatures, "%s: %s has signed already", file, p.Name)
	}
	if fido := e.Facts[FactFIDO]; p.FIDO != nil && fido != p.FIDO.String() || p.FIDO == nil && fido != "" {
		return broken(RuleSignatures, "%s: the authenticator says otherwise than the log", file)
	}
	if err := v.count(p); err != nil {
		return broken(RuleSignatures, "%s: %w", file, err)
	}
	switch req.Purpose {
	case quorum.Approve:
		if !v.attended[p.Name] {
			return broken(RuleOrder, "%s: %s did not attend", file, p.Name)
		}
	case quorum.Attend:
		v.attended[p.Name], v.came[p.Name] = true, true
	case quorum.Join:
		v.joined = append(v.joined, p.Name)
	}
	req.signed = append(req.signed, p)
	v.requests[e.Step] = req
	return nil
}

func (v *verifier) count(p quorum.Proof) error {
	if p.FIDO == nil {
		return nil
	}
	if _, seen := v.firsts[p.Fingerprint()]; !seen {
		v.firsts[p.Fingerprint()] = p.FIDO.Counter
	}
	return v.counters.Next(p)
}

// SignedOf is the signature that a signed event embeds.
func SignedOf(e Event) quorum.Signed {
	return quorum.Signed{Name: e.Facts["signer"], Statement: []byte(e.Facts["statement"]), Signature: []byte(e.Facts["signature"]), At: e.Clock()}
}

// gathered and begun demand the quorum before what follows from it (promise 1).
func (v *verifier) gathered(e Event) error {
	req, ok := v.requests[e.Step]
	if !ok {
		return broken(RuleOrder, "step %s: nothing was asked", printable.Text(e.Step))
	}
	if req.gathered {
		return broken(RuleOrder, "step %s: gathered twice", printable.Text(e.Step))
	}
	req.gathered = true
	v.requests[e.Step] = req
	if req.Purpose == quorum.Join {
		return v.allJoined()
	}
	if err := v.Roster.Quorum(req.Namespace(), req.signed); err != nil {
		return &RuleError{RuleQuorum, err}
	}
	if names := v.inOrder(req.signed); req.Purpose == quorum.Attend && e.Facts[FactAttended] != names {
		return broken(RuleSignatures, "attended: %s have signed", names)
	}
	return nil
}

// inOrder are the names of those who signed, in the roster's order.
func (v *verifier) inOrder(signed []quorum.Proof) string {
	by := map[string]bool{}
	for _, p := range signed {
		by[p.Name] = true
	}
	var names []string
	for _, m := range v.Roster.Members {
		if by[m.Name] {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (v *verifier) allJoined() error {
	for _, m := range v.Next.Joining(v.Roster) {
		if !slices.Contains(v.joined, m.Name) {
			return broken(RuleQuorum, "%s has not proved to hold the key of the next roster", m.Name)
		}
	}
	return nil
}

func (v *verifier) begun(e Event) error {
	if err := v.covered(e); err != nil {
		return err
	}
	v.open[e.Step], v.begunOf[v.approved[e.Step]] = true, true
	return nil
}

// covered demands that M have signed the plan that stands and names the act.
func (v *verifier) covered(e Event) error {
	by, ok := v.approved[e.Step]
	if !ok {
		return broken(RuleOrder, "act %s: no plan covers it", printable.Text(e.Step))
	}
	req := v.requests[by]
	if len(req.signed) > 0 && (req.Event.Kind != Plan || !slices.Contains(strings.Fields(req.Event.Facts["acts"]), e.Step)) {
		return broken(RuleOrder, "act %s: the plan that was signed does not name it", printable.Text(e.Step))
	}
	if err := v.Roster.Quorum(v.mode.Namespace(quorum.Approve), req.signed); err != nil {
		return broken(RuleQuorum, "act %s: %w", printable.Text(e.Step), err)
	}
	return nil
}

// change is the act by which the next roster takes effect: the plan named it, and
// each new key was proved.
func (v *verifier) change(e Event) error {
	next, ok := e.Facts[FactNextRoster+"_sha256"]
	if !ok {
		return nil
	}
	by, begun := v.approved[e.Step]
	if !begun || !v.begunOf[by] {
		return broken(RuleOrder, "act %s: done before it was begun", printable.Text(e.Step))
	}
	plan := v.requests[by].Event.Facts["plan"]
	if next != v.Next.Digest() || !strings.Contains(plan, "\n"+FactNextRoster+"_sha256: "+next+"\n") {
		return broken(RuleRoster, "the next roster is not the one of the plan")
	}
	v.changes = true
	return v.allJoined()
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// unread is the report of a bundle that could not be read, and the error.
func (b Bundle) unread(err error) (Report, error) {
	return Report{Bundle: b, Judgements: judgements(nil, err)}, err
}

// Signature is one that a bundle holds, and what it is checked against.
type Signature struct {
	quorum.Signed
	Namespace string
	Roster    quorum.Roster
}

// Signatures lists all of a verified bundle.
func (r Report) Signatures() (all []Signature) {
	next := r.Roster
	for _, e := range r.Events {
		switch e.Kind {
		case NextRoster:
			next, _ = rosterOf(e, FactNextRoster, r.mode)
		case Signed:
			s := Signature{SignedOf(e), e.Facts["namespace"], r.Roster}
			if s.Namespace == r.mode.Namespace(quorum.Join) {
				s.Roster = next
			}
			all = append(all, s)
		}
	}
	for name := range r.Finals {
		file := FinalFile(name)
		all = append(all, Signature{quorum.Signed{Name: name, Statement: r.Bundle.files[file], Signature: r.Bundle.files[file+".sig"], At: r.Events.End()},
			r.mode.Namespace(quorum.Final), r.Roster})
	}
	return all
}
