package steps

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/file"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// whatRoster is the deviation of an install whose roster's file changed.
const whatRoster = "roster"

// changedInstall compares what an interrupted install began with. Its roster and provider are in
// its log: a file that was corrected since changes nothing, and people must know. With another
// provider nothing of the log would hold, so that is refused.
func changedInstall(s *Site, log transcript.State, given func(string) string) error {
	if had := log.Facts[transcript.FactProvider]; had != "" && had != s.Kind.Name() {
		return fmt.Errorf("provider: this install began with %s, configured is %s: %w", printable.Text(had), s.Kind.Name(),
			ErrChanged)
	}
	if log.Roster.M == 0 { // it is asked for
		return nil
	}
	seen := rosterNow(cmp.Or(given("roster"), log.Facts[factRosterFile], s.RosterPath))
	d := &engine.DeviationError{What: whatRoster, Expected: log.Roster.Digest(), Seen: seen, Err: ErrChanged}
	if seen == "" || seen == d.Expected || s.Decided(d) {
		return nil
	}
	return d
}

// rosterNow is the digest of a roster's file, or why it cannot be read. Empty: it is not there,
// as on a stick that was taken out.
func rosterNow(path string) string {
	if path == "" {
		return ""
	}
	text, err := rosterText(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return printable.Text(file.Cause(err).Error())
	}
	return transcript.Digest(text)
}
