package steps

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// What no program sees, and an auditor looks for: docs/auditors-guide.md says who asks
// for each. People type it, or say why it does not apply.

// place asks what is to be known before anything is touched.
func place() Step {
	return Step{
		Name: "place", Title: "Place and people",
		Why: "Record what only you can see. An auditor reads it with everything else.",
		Ask: &Form{Fields: []Field{
			atPlace(),
			textField("authorised", "Who authorized this ceremony, and when?", "name, document or ticket",
				"Ann Example, ticket 4711"),
			{Name: "people", Question: "Who is who?", Help: "NAME: ORGANIZATION, ROLE; NAME: ...",
				Example: "alice: Example Ltd, operator",
				Check:   orNot("people", checkPeople), Propose: rehearsed(notSeen)},
			wallClock("clock", "Time on the wall clock, and who read it"),
			textField("bags", "Tamper-evident bags opened, and who checked the numbers", "numbers, name", "100200, bob"),
			textField("evidence", "Independent witness, or reference to the video recording", "name or reference", "video 17"),
		}},
	}
}

// leaving asks what is to be known at the end.
func leaving() Step {
	return Step{
		Name: "leaving", Title: "Before you sign the end",
		Why: "Report deviations from the script now. This is the last chance.",
		Ask: &Form{Fields: []Field{
			textField("bags_out", "Tamper-evident bags closed again, and their contents", "numbers, content",
				"100201, the token"),
			wallClock("clock_out", "Time on the wall clock now, and who read it"),
			{Name: transcript.FactDiffered, Question: "Deviations from the script",
				Help:    "none, or: EXPECTED / SEEN / DECIDED / BY WHOM",
				Example: "three operators / two came / continued with two / alice and bob",
				Check:   checkDiffered, Propose: rehearsed(transcript.NothingDiffered)},
		}, Reports: func(f Facts) (Facts, bool) {
			d, err := reported(f[transcript.FactDiffered])
			return d, err == nil
		}},
	}
}

// textField is a question whose answer is any text.
func textField(name, question, help, example string) Field {
	return Field{Name: name, Question: question, Help: help, Example: example, Propose: rehearsed(notSeen),
		Check: orNot(name, func(_ *Site, answer string) error {
			if len(answer) < 2 {
				return errors.New("one character is too short")
			}
			return nil
		})}
}

// wallClock is a question for the time that a person reads from the wall.
func wallClock(name, question string) Field {
	return Field{Name: name, Question: question, Help: "YYYY-MM-DD HH:MM, NAME", Example: "2026-11-23 14:05, alice",
		Check: orNot(name, checkClock), Propose: rehearsed(notSeen)}
}

// atPlace proposes the place of the last ceremony.
func atPlace() Field {
	f := textField("place", "Where does this ceremony take place?", "room and site", "Vault 3, Example Street 5")
	f.Propose = func(s *Site) string {
		place := s.History.Last()[f.Name]
		escaped := strings.Contains(place, `\`) // it would be escaped again
		if place == "" || escaped || strings.HasPrefix(place, notApplicable) {
			return rehearsed(notSeen)(s)
		}
		return place
	}
	return f
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

// checkPeople wants each person by the roster's name.
func checkPeople(s *Site, answer string) error {
	for part := range strings.SplitSeq(answer, ";") {
		name, about, _ := strings.Cut(part, ":")
		organization, role, _ := strings.Cut(about, ",")
		if name = strings.TrimSpace(name); strings.TrimSpace(organization) == "" || strings.TrimSpace(role) == "" {
			return errors.New("want NAME: ORGANIZATION, ROLE; NAME: ORGANIZATION, ROLE")
		}
		if err := known(s, name); err != nil {
			return err
		}
	}
	return nil
}

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

// checkClock compares the wall with the console, apart from the quarters of an hour
// by which time zones differ.
func checkClock(s *Site, answer string) error {
	text, name, ok := strings.Cut(answer, ",")
	wall, err := time.Parse("2006-01-02 15:04", text)
	if err != nil || !ok {
		return errors.New("want YYYY-MM-DD HH:MM, NAME")
	}
	if err := known(s, strings.TrimSpace(name)); err != nil {
		return err
	}
	const zone, apart = 15 * time.Minute, 3 * time.Minute
	now := time.Now().UTC()
	if off := now.Sub(wall).Abs(); off > 15*time.Hour || min(off%zone, zone-off%zone) > apart {
		return fmt.Errorf("correct the console's clock; it shows %s UTC", now.Format("2006-01-02 15:04"))
	}
	return nil
}

func checkDiffered(_ *Site, answer string) (Facts, error) {
	if strings.EqualFold(answer, transcript.NothingDiffered) {
		return Facts{transcript.FactDiffered: "none"}, nil
	}
	if _, err := reported(answer); err != nil {
		return nil, err
	}
	return Facts{transcript.FactDiffered: printable.Text(answer)}, nil
}

// reported reads what people report.
func reported(answer string) (Facts, error) {
	parts := strings.Split(answer, " / ")
	if len(parts) != 4 {
		return nil, errors.New(`want "none", or EXPECTED / SEEN / DECIDED / BY WHOM with " / " between`)
	}
	facts := Facts{transcript.FactWhat: "reported by the operators"}
	for i, name := range []string{transcript.FactExpected, transcript.FactSeen, transcript.FactDecided,
		transcript.FactBy} {
		if facts[name] = printable.Text(strings.TrimSpace(parts[i])); facts[name] == "" {
			return nil, fmt.Errorf("%s is empty", name)
		}
	}
	return facts, nil
}
