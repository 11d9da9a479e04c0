package transcript

import (
	"github.com/certautopilot/kekceremony/internal/quorum"
)

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

// finalsOf counts the finals with such a verdict. A witness's is kept, and makes no
// quorum.
func (r Report) finalsOf(is func(Verdict) bool) (n int) {
	for _, m := range r.Roster.Who(r.mode.Namespace(quorum.Approve)) {
		if verdict, ok := r.Finals[m.Name]; ok && is(verdict) {
			n++
		}
	}
	return n
}

// Signed counts those who have signed the end and could approve, whatever they say.
func (r Report) Signed() int { return r.finalsOf(func(Verdict) bool { return true }) }

// Counters are the last counters of authenticators, the finals' among them.
func (r Report) Counters() quorum.Counters { return r.counters }

// FinalFiles are the digests of everybody's final statements and signatures, by
// file name: what the next ceremony's first line lists.
func (r Report) FinalFiles() map[string]string {
	all := map[string]string{CoreFile: r.FinalSum}
	for name := range r.Finals {
		for _, file := range []string{FinalFile(name), FinalFile(name) + ".sig"} {
			all[file] = Digest(r.Bundle.files[file])
		}
	}
	return all
}

// Outcome of a closed ceremony; empty while it is open.
func (r Report) Outcome() string {
	if n := len(r.Events); n > 0 && r.Events[n-1].Kind == Closed {
		return r.Events[n-1].Facts[FactOutcome]
	}
	return ""
}
