package transcript

import (
	"bytes"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// finals checks final.txt and what each person signed over it.
func (v *verifier) finals() error {
	core, ok := v.Bundle.files[CoreFile]
	if !ok {
		return nil
	}
	want, err := v.Core()
	if err != nil {
		return broken(RuleFinals, "%s: no final matches the log's last line: %w", CoreFile, err)
	}
	if !bytes.Equal(core, want) {
		return broken(RuleFinals, "%s: it does not follow from %s", CoreFile, logFile)
	}
	v.used[CoreFile], v.FinalSum = true, Digest(core)
	for _, m := range v.Roster.Members {
		if err := v.final(core, m); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) final(core []byte, m quorum.Member) error {
	name := FinalFile(m.Name)
	statement, ok := v.Bundle.files[name]
	sig, signed := v.Bundle.files[name+".sig"]
	if !ok && !signed {
		return nil
	}
	if !ok {
		return broken(RuleFinals, "%s: a signature without its statement: %w", name, ErrIncomplete)
	}
	verdict, err := VerdictOf(core, m, statement)
	if err != nil {
		return &RuleError{RuleFinals, err}
	}
	v.used[name] = true
	if !signed { // written before an interruption, and never signed: it says nothing
		return nil
	}
	if err := v.State.takeFinal(m, statement, sig); err != nil {
		return broken(RuleFinals, "%s.sig: %w", name, err)
	}
	v.Finals[m.Name], v.used[name+".sig"] = verdict, true
	return nil
}

// takeFinal checks a person's signature of the end.
func (s *State) takeFinal(m quorum.Member, statement, sig []byte) error {
	signed := quorum.Signed{Name: m.Name, Statement: statement, Signature: sig, At: s.last.Clock()}
	p, err := s.Roster.Check(s.Mode().Namespace(quorum.Final), signed)
	if err == nil && !s.came[m.Name] {
		err = fmt.Errorf("%s did not attend", m.Name)
	}
	if err == nil {
		err = s.count(p)
	}
	return err
}

// Finals checks the finals among the files of a closed log and returns the verdicts by
// name. A statement whose signature is not there yet says nothing.
func (s State) Finals(files map[string][]byte) (map[string]Verdict, error) {
	core, err := s.Core()
	if err != nil {
		return nil, err
	}
	s = s.clone() // of which the counters move on
	verdicts := map[string]Verdict{}
	for _, m := range s.Roster.Members {
		name := FinalFile(m.Name)
		statement, sig := files[name], files[name+".sig"]
		if statement == nil || sig == nil {
			continue
		}
		verdict, err := VerdictOf(core, m, statement)
		if err == nil {
			err = s.takeFinal(m, statement, sig)
		}
		if err != nil {
			return nil, fmt.Errorf("final of %s: %w", m.Name, err)
		}
		verdicts[m.Name] = verdict
	}
	return verdicts, nil
}

// Outcomes of a ceremony: every step was done, or it was given up before.
const (
	OutcomeDone    = "done"
	OutcomeAborted = "aborted"
)

// complete tells a finished bundle from one that only lacks something.
func (v *verifier) complete() error {
	if last := v.Last(); last.Kind != Closed {
		return broken(RuleFinals, "%s: the last line is %s, not %s: %w", logFile, last.Kind, Closed, ErrIncomplete)
	}
	if v.FinalSum == "" {
		return broken(RuleFinals, "%s is missing: %w", CoreFile, ErrIncomplete)
	}
	if agree := v.finalsOf(func(verdict Verdict) bool { return verdict != Disagree }); agree < v.Roster.M {
		return broken(RuleFinals, "%d of %d agree: %w", agree, v.Roster.M, ErrIncomplete)
	}
	return nil
}
