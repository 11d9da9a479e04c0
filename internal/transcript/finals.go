package transcript

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Outcomes of a ceremony: every step was done, or it was aborted before. An install that was
// given up before it made anything is void: its bundle is outside every chain, it is no ceremony
// 1, and the next install is that of a new chain.
const (
	OutcomeDone    = "done"
	OutcomeAborted = "aborted"
	OutcomeVoid    = "void"
)

// Core is final.txt: what everybody signs at the end. It follows from a closed log
// alone.
func (s State) Core() ([]byte, error) {
	if s.Outcome == "" {
		return nil, fmt.Errorf("final: the log of %d lines is not closed", s.lines)
	}
	opened := s.Opened()
	return lines("kekceremony final v1",
		"chain", opened[FactChain],
		"ceremony", opened[FactCeremony],
		"kind", opened[FactKind],
		"mode", opened[FactMode],
		"events", fmt.Sprint(s.lines),
		"head", s.last.Head(),
		"roster", s.Facts[FactRoster+"_sha256"],
		"next-roster", s.NextRoster(),
		"deviations", fmt.Sprint(len(s.Deviations)),
		FactOutcome, s.Outcome,
		"attended", s.Facts[FactAttended],
	), nil
}

// Finals checks what each person signed over final.txt, of the bundle's files by name, and
// returns what they say by signer, as far as they were checked. A statement that nobody
// signed was written before an interruption: it says nothing.
func (s State) Finals(files map[string][]byte) (map[string]Final, error) {
	after := s.clone()
	return after.takeFinals(files)
}

// takeFinals is Finals, after which the counters of authenticators have moved.
func (s *State) takeFinals(files map[string][]byte) (map[string]Final, error) {
	finals := map[string]Final{}
	core, err := s.Core()
	if err != nil {
		return finals, err
	}
	var missing error // that a statement is must not hide what is wrong elsewhere
	for _, m := range s.Roster.Members {
		name := FinalFile(m.Name)
		statement, stated := files[name]
		sig, signed := files[name+".sig"]
		if !stated && signed {
			missing = broken(RuleFinals, "%s: a signature without its statement: %w", name, ErrIncomplete)
		}
		if !stated {
			continue
		}
		final, err := FinalOf(core, m, statement)
		if err != nil {
			return finals, &RuleError{RuleFinals, err}
		}
		if !signed {
			continue
		}
		if err := s.takeFinal(m, statement, sig); err != nil {
			return finals, broken(RuleFinals, "%s.sig: %w", name, err)
		}
		finals[m.Name] = final
	}
	return finals, missing
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
