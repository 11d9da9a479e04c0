package steps

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// What no program sees, and an auditor looks for: docs/auditors-guide.md says who asks
// for each. People type it, or say why it does not apply.

// place asks what is to be known before anything is touched.
func place() Step {
	return Step{
		Name: "place", Title: "Place and people",
		Why: "What only you can see. An auditor reads it beside everything else.",
		Ask: &Form{[]Field{
			told("place", "Where is this ceremony held?", "room and site"),
			told("authorised", "Who allowed it to be held, and when?", "name, document or ticket"),
			{Name: "people", Question: "Who is who?", Help: "NAME: ORGANISATION, ROLE; NAME: ...", Passable: true, Check: orNot("people", checkPeople)},
			{Name: "clock", Question: "Time on the wall, and who read it", Help: "YYYY-MM-DD HH:MM, NAME", Passable: true, Check: orNot("clock", checkClock)},
			told("bags", "Tamper-evident bags opened, and who compared their numbers?", "numbers, name"),
			told("evidence", "Independent witness, or reference of the video?", "name or reference"),
		}},
	}
}

// leaving asks what is to be known at the end.
func leaving() Step {
	return Step{
		Name: "leaving", Title: "Before you sign the end",
		Why: "What differed from the script is told here, or not at all.",
		Ask: &Form{[]Field{
			told("bags_out", "Tamper-evident bags closed again, with what in them?", "numbers, content"),
			{Name: "clock_out", Question: "Time on the wall now, and who read it", Help: "YYYY-MM-DD HH:MM, NAME", Passable: true, Check: orNot("clock_out", checkClock)},
			{Name: "differed", Question: "Did anything differ from the script?", Help: "none, or: EXPECTED / SEEN / DECIDED / BY WHOM", Passable: true, Check: checkDiffered},
		}},
	}
}

// told is a question whose answer is any text.
func told(name, question, help string) Field {
	return Field{Name: name, Question: question, Help: help, Passable: true, Check: orNot(name, func(_ *Site, answer string) error {
		if len(answer) < 2 {
			return errors.New("an answer is needed")
		}
		return nil
	})}
}

// notApplicable is the only way past such a question.
var notApplicable = regexp.MustCompile(`(?i)^(?:n/a|not applicable): *(\S.{2,})$`)

// orNot takes an answer that passes a check, or a reason why there is none. In a
// rehearsal Enter alone is one.
func orNot(name string, check func(*Site, string) error) func(*Site, string) (Facts, error) {
	return func(s *Site, answer string) (Facts, error) {
		if answer == "" && s.Mode == quorum.Rehearsal {
			return Facts{name: "not applicable: a rehearsal"}, nil
		}
		if why := notApplicable.FindStringSubmatch(answer); why != nil {
			return Facts{name: "not applicable: " + printable.Text(why[1])}, nil
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
		organisation, role, _ := strings.Cut(about, ",")
		if name = strings.TrimSpace(name); strings.TrimSpace(organisation) == "" || strings.TrimSpace(role) == "" {
			return errors.New("want NAME: ORGANISATION, ROLE; NAME: ORGANISATION, ROLE")
		}
		if err := known(s, name); err != nil {
			return err
		}
	}
	return nil
}

func known(s *Site, name string) error {
	if _, ok := s.Roster.Member(name); !ok {
		return fmt.Errorf("%s is not in the roster", printable.Quote(name))
	}
	return nil
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
		return fmt.Errorf("the console's clock says %s UTC: set it right", now.Format("2006-01-02 15:04"))
	}
	return nil
}

// The facts of a deviation.
const (
	factWhat     = "what"
	factExpected = "expected"
	factSeen     = "seen"
	factDecided  = "decided"
	factBy       = "by" // who decided; those who sign the plan or the end stand behind it
)

// factDiffered is the answer that people gave of themselves.
const factDiffered = "differed"

func checkDiffered(s *Site, answer string) (Facts, error) {
	if strings.EqualFold(answer, "none") || answer == "" && s.Mode == quorum.Rehearsal {
		return Facts{factDiffered: "none"}, nil
	}
	if _, err := toldDeviation(answer); err != nil {
		return nil, err
	}
	return Facts{factDiffered: printable.Text(answer)}, nil
}

// toldDeviation reads what people told.
func toldDeviation(answer string) (Facts, error) {
	parts := strings.Split(answer, " / ")
	if len(parts) != 4 {
		return nil, errors.New(`want "none", or EXPECTED / SEEN / DECIDED / BY WHOM with " / " between`)
	}
	facts := Facts{factWhat: "told by the people"}
	for i, name := range []string{factExpected, factSeen, factDecided, factBy} {
		if facts[name] = printable.Text(strings.TrimSpace(parts[i])); facts[name] == "" {
			return nil, fmt.Errorf("%s is empty", name)
		}
	}
	return facts, nil
}

// DeviationError is a difference that people may go on with: then it is written down
// with their reason, and stands in the plan that M of them sign.
type DeviationError struct {
	What, Expected, Seen string
	Err                  error // the rule that it breaks
}

func (e *DeviationError) Error() string {
	return fmt.Sprintf("%s: was %s, is %s: %s", e.What, printable.Text(e.Expected), printable.Text(e.Seen), e.Err)
}
func (e *DeviationError) Unwrap() error { return e.Err }

// told reports whether the people have told of it already in this ceremony.
func (s *Site) told(d Facts) bool {
	return slices.ContainsFunc(s.Deviations, func(f Facts) bool { return maps.Equal(f, d) })
}

// decided reports whether people have already decided to go on with it in this
// ceremony.
func (s *Site) decided(d *DeviationError) bool {
	return slices.ContainsFunc(s.Deviations, func(f Facts) bool {
		return f[factWhat] == d.What && f[factExpected] == printable.Text(d.Expected) && f[factSeen] == printable.Text(d.Seen)
	})
}
