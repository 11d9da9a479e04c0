package steps

import (
	"errors"
	"fmt"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// askNextRoster has people name the file of the roster that is to be.
func askNextRoster() Step {
	return Step{
		Name: "next-roster", Ends: transcript.NextRoster, Title: "The next roster",
		Why: "From the next ceremony on, this roster sets who may sign and how many must.",
		Ask: &Form{Fields: []Field{{
			Name: "next_roster", Question: "Path of the next roster",
			Help:    "an allowed_signers file; a new key's line must allow " + quorum.Production.Namespace(quorum.Join),
			Example: "/media/stick/next-roster",
			Check:   readNextRoster,
		}}},
	}
}

func readNextRoster(s *Site, path string) (Facts, error) {
	r, err := readRosterFile(path, s.Mode)
	if err != nil {
		return nil, err
	}
	if r.Digest() == s.Roster.Digest() {
		return nil, errors.New("it is the current roster")
	}
	for _, m := range r.Joining(s.Roster) {
		if space := s.Mode.Namespace(quorum.Join); !m.May(space) {
			return nil, fmt.Errorf("%s: the key is new, and its line does not allow %s", m.Name, space)
		}
	}
	return Facts{transcript.FactNextRoster: string(r.Text), transcript.FactNextRoster + "_sha256": r.Digest()}, nil
}
