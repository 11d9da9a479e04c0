package transcript

import (
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Report is what a verification found. It is whole as far as the verification came.
type Report struct {
	State      // that the log comes to
	Bundle     Bundle
	Events     Events
	Finals     map[string]Final // by signer
	FinalSum   string           // SHA-256 of final.txt
	Judgements []Judgement      // one for each rule
}

// Opened are the facts of the first line, also of a log that breaks a rule; or none.
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
			next, _ = rosterOf(e, FactNextRoster, r.Mode())
		case Signed:
			s := Signature{SignedOf(e), e.Facts[FactNamespace], r.Roster}
			if s.Namespace == r.Mode().Namespace(quorum.Join) {
				s.Roster = next
			}
			all = append(all, s)
		}
	}
	for name := range r.Finals {
		file := FinalFile(name)
		signed := quorum.Signed{
			Name:      name,
			Statement: r.Bundle.files[file],
			Signature: r.Bundle.files[file+".sig"],
			At:        r.Events.End(),
		}
		all = append(all, Signature{signed, r.Mode().Namespace(quorum.Final), r.Roster})
	}
	return all
}

// finalsOf counts the finals with such a verdict. A witness's is kept, and makes no
// quorum.
func (r Report) finalsOf(is func(Verdict) bool) (n int) {
	for _, m := range r.Roster.Who(r.Mode().Namespace(quorum.Approve)) {
		if final, ok := r.Finals[m.Name]; ok && is(final.Verdict) {
			n++
		}
	}
	return n
}

// Signed counts those who have signed the end and could approve, whatever they say.
func (r Report) Signed() int { return r.finalsOf(func(Verdict) bool { return true }) }

// Agree counts those of them who say that the ceremony went as its steps say, if with deviations.
func (r Report) Agree() int { return r.finalsOf(func(v Verdict) bool { return v != Disagree }) }

// WithoutFinal names those who attended at the end and did not sign it, of a ceremony that is closed:
// they may have disagreed, and somebody may have taken their finals away. Who attended an earlier run
// alone was not asked.
func (r Report) WithoutFinal() (names []string) {
	for _, m := range r.Roster.Members {
		if _, signed := r.Finals[m.Name]; r.Outcome != "" && r.Attends(m.Name) && !signed {
			names = append(names, m.Name)
		}
	}
	return names
}

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
