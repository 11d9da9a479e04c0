package steps

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// askRoster has the founders name the roster's file.
func askRoster() Step {
	return Step{
		Name: "roster", Ends: transcript.Roster, Title: "Roster and quorum",
		Why: "The roster lists who may sign and how many must. This ceremony locks the store to it.",
		Ask: &Form{Fields: []Field{{
			Name: "roster", Question: "Path of the roster",
			Help:    `an OpenSSH allowed_signers file whose first line is "# quorum: M"`,
			Example: "/media/stick/roster",
			Check:   readRoster,
			Propose: func(s *Site) string { return s.RosterPath },
		}}},
	}
}

func readRoster(s *Site, path string) (Facts, error) {
	r, err := readRosterFile(path, s.Mode)
	if err != nil {
		return nil, err
	}
	facts := rosterFacts(r)
	if path, err = expandHome(path); err == nil {
		path, err = filepath.Abs(path)
	}
	facts[factRosterFile] = printable.Text(path)
	return facts, err
}

// factRosterFile is the path of the file that an install took its roster from.
const factRosterFile = "roster_file"

// readRosterFile reads a roster's file.
func readRosterFile(path string, mode quorum.Mode) (quorum.Roster, error) {
	text, err := rosterText(path)
	if err != nil {
		return quorum.Roster{}, fmt.Errorf("read roster: %w", file.Cause(err)) // without the name: it was typed
	}
	return quorum.ParseRoster(text, mode)
}

// maxRoster bounds the file in bytes.
const maxRoster = 1 << 20

func rosterText(path string) ([]byte, error) {
	path, err := expandHome(path)
	if err != nil {
		return nil, err
	}
	return file.Read(path, file.Rules{Max: maxRoster})
}

// expandHome puts the home directory in the place of ~, as a shell does.
func expandHome(path string) (string, error) {
	rest, found := strings.CutPrefix(path, "~")
	if !found || rest != "" && rest[0] != '/' {
		return path, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, rest), err
}

func rosterFacts(r quorum.Roster) Facts {
	return Facts{transcript.FactRoster: string(r.Text), transcript.FactRoster + "_sha256": r.Digest()}
}

// chainRoster takes over the roster that the last ceremony left behind.
func chainRoster() Step {
	return Step{
		Name: "roster", Ends: transcript.Roster, Title: "Roster and quorum",
		Why: "This ceremony uses the roster that the last ceremony left.",
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
