package steps

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// What no program sees, and an auditor looks for: docs/auditors-guide.md says who asks
// for each. People type it, or say why it does not apply.

// textField is a question whose answer is any text.
func textField(name, question, help, example string) Field {
	return Field{Name: name, Question: question, Help: help + orReason, Example: example, Propose: rehearsed(notSeen),
		Check: orNot(name, func(_ *Site, answer string) error {
			if len(answer) < 2 {
				return errors.New("one character is too short")
			}
			return nil
		})}
}

// orReason ends the form of an answer that orNot checks.
const orReason = "; or n/a: REASON"

// orNot takes an answer that passes a check, or a reason why there is none.
func orNot(name string, check func(*Site, string) error) func(*Site, string) (Facts, error) {
	return func(s *Site, answer string) (Facts, error) {
		if why := reasoned.FindStringSubmatch(answer); why != nil {
			return Facts{name: notApplicable + printable.Text(why[1])}, engine.CheckText(why[1])
		}
		if err := check(s, answer); err != nil {
			return nil, fmt.Errorf("%w; or answer n/a: REASON", err)
		}
		return Facts{name: printable.Text(answer)}, nil
	}
}

// notSeen is the answer about what only people see, where there is nothing to see.
const notSeen = "n/a: a rehearsal"

// rehearsed proposes an answer in a rehearsal. In production only people know it.
func rehearsed(answer string) func(*Site) string {
	return func(s *Site) string {
		if s.Mode != quorum.Rehearsal {
			return ""
		}
		return answer
	}
}

// notApplicable begins the fact of a question that has a reason and no answer.
const notApplicable = "not applicable: "

// reasoned is the only way past such a question.
var reasoned = regexp.MustCompile(`(?i)^(?:n/a|not applicable): *(\S.{2,})$`)

func known(s *Site, name string) error {
	if _, ok := s.Roster.Member(name); ok {
		return nil
	}
	var names []string
	for _, m := range s.Roster.Members {
		names = append(names, m.Name)
	}
	return fmt.Errorf("use names of the roster: %s", strings.Join(names, ", "))
}
