package steps

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// Steps that others know by name.
const (
	stepRoster = "roster"
	stepAttend = "attend"
)

// askRoster has the founders name the roster's file.
func askRoster() Step {
	return Step{
		Name: stepRoster, Title: "Roster and quorum",
		Why: "The roster says who may sign, and how many must. Its digest stands in the lock for ever.",
		Ask: &Form{[]Field{{
			Name: "roster", Question: "Path of the roster",
			Help:  `an OpenSSH allowed_signers file whose first line is "# quorum: M"`,
			Check: readRoster,
		}}},
	}
}

func readRoster(s *Site, path string) (Facts, error) {
	r, err := openRoster(path, s.Mode)
	if err != nil {
		return nil, err
	}
	return rosterFacts(r), nil
}

// openRoster reads a roster's file.
func openRoster(path string, mode quorum.Mode) (quorum.Roster, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > 1<<20) {
		err = errors.New("not a roster file")
	}
	if err != nil {
		return quorum.Roster{}, fmt.Errorf("roster %s: %w", printable.Quote(path), err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return quorum.Roster{}, fmt.Errorf("roster %s: %w", printable.Quote(path), err)
	}
	return quorum.ParseRoster(text, mode)
}

func rosterFacts(r quorum.Roster) Facts {
	return Facts{factRoster: string(r.Text), factRosterSum: r.Digest()}
}

// chainRoster takes over the roster that the last ceremony left behind.
func chainRoster() Step {
	return Step{
		Name: stepRoster, Title: "Roster and quorum",
		Why: "The roster is the one that the last ceremony left behind.",
		Look: func(ctx context.Context, s *Site, _ Facts, _ Desk) (Facts, error) {
			lock, err := s.Store.Lock(ctx)
			if err != nil {
				return nil, err
			}
			r, err := s.History.Roster(s.Mode, lock)
			return rosterFacts(r), err
		},
	}
}

// attend has people show that they are here and hold their keys.
func attend(all bool) Step {
	return Step{
		Name: stepAttend, Title: "Attendance", Anew: true,
		Why:    "Each of you compares the fingerprint, and the last final digest if there is one, with your own paper, and types your name to sign.",
		Gather: &Gather{Purpose: quorum.Attend, All: all},
	}
}
