package transcript

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/quorum"
)

func (s *State) takeRoster(e Event) (err error) {
	if len(s.Roster.Members) > 0 {
		return broken(RuleRoster, "a second roster")
	}
	s.Roster, err = rosterOf(e, FactRoster, s.Mode())
	s.Next = s.Roster
	return err
}

// takeNextRoster takes the roster that is to be; a later one takes the place of it.
func (s *State) takeNextRoster(e Event) (err error) {
	if s.changed != "" {
		return broken(RuleRoster, "a roster after the change")
	}
	s.Next, err = rosterOf(e, FactNextRoster, s.Mode())
	s.joined = nil
	for step, r := range s.requests {
		if r.Purpose == quorum.Join {
			delete(s.requests, step)
		}
	}
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
