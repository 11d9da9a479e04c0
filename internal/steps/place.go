package steps

import (
	"errors"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// place asks what is to be known before anything is touched.
func place() Step {
	return Step{
		Name: "place", Title: "Place and people",
		Why: "Record what only you can see. An auditor reads it with everything else.",
		Ask: &Form{Fields: []Field{
			atPlace(),
			textField("authorised", "Who authorized this ceremony, and when?", "name, document or ticket",
				"Ann Example, ticket 4711"),
			{Name: "people", Question: "Who is who?", Help: "NAME: ORGANIZATION, ROLE; NAME: ..." + orReason,
				Example: "alice: Example Ltd, operator",
				Check:   orNot("people", checkPeople), Propose: rehearsed(notSeen)},
			wallClock("clock", "Time on the wall clock, and who read it"),
			textField("bags", "Tamper-evident bags opened, and who checked the numbers", "numbers, name", "100200, bob"),
			textField("evidence", "Independent witness, or reference to the video recording", "name or reference", "video 17"),
		}},
	}
}

// atPlace proposes the place of the last ceremony.
func atPlace() Field {
	f := textField("place", "Where does this ceremony take place?", "room and site", "Vault 3, Example Street 5")
	f.Propose = func(s *Site) string {
		place := printable.Proposal(s.History.Last()[f.Name])
		if place == "" || strings.HasPrefix(place, notApplicable) {
			return rehearsed(notSeen)(s)
		}
		return place
	}
	return f
}

// checkPeople wants each person by the roster's name.
func checkPeople(s *Site, answer string) error {
	for part := range strings.SplitSeq(answer, ";") {
		name, about, _ := strings.Cut(part, ":")
		organization, role, _ := strings.Cut(about, ",")
		if name = strings.TrimSpace(name); strings.TrimSpace(organization) == "" || strings.TrimSpace(role) == "" {
			return errors.New("write NAME: ORGANIZATION, ROLE; NAME: ORGANIZATION, ROLE")
		}
		if err := known(s, name); err != nil {
			return err
		}
	}
	return nil
}
