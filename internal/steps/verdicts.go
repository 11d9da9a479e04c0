package steps

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/kek"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Copies of a key are known from what people answered: one to an entry, parted by semicolons, each with
// the serial of its device.

// factVerdicts is what becomes of each copy.
const factVerdicts = "verdicts"

// noCopies is the answer of people who know of none.
const noCopies = "none"

// The verdicts on a copy. One that is not destroyed stays open.
const (
	wasDestroyed = "destroyed and searched for"
	unreachable  = "unreachable"
	inBackup     = "vendor's backup until "
)

// askVerdicts has people say of each copy what became of it.
func askVerdicts(recorded []string) Step {
	return Step{
		Name: "verdicts", Title: "Copies of the key",
		Why: "Each copy that was recorded, by its serial, needs a verdict. One that is not destroyed stays open, " +
			"and the version is not called destroyed.",
		Ask: &Form{Fields: []Field{{
			Name: factVerdicts, Question: "What became of each copy?",
			Help: "SERIAL: destroyed and searched for, WHO, DATE; SERIAL: unreachable; " +
				"SERIAL: vendor's backup until DATE; or: none",
			Example: "5b1f: destroyed and searched for, bob, 2027-02-01",
			Check:   func(_ *Site, answer string) (Facts, error) { return checkVerdicts(recorded, answer) },
			Propose: func(*Site) string {
				if len(recorded) > 0 {
					return ""
				}
				return noCopies
			},
		}}},
	}
}

// checkVerdicts demands a verdict on each copy that is recorded, and takes those that are not.
func checkVerdicts(recorded []string, answer string) (Facts, error) {
	if answer == noCopies {
		if len(recorded) > 0 {
			return nil, fmt.Errorf("earlier ceremonies recorded %s", printable.Quote(joinCopies(recorded)))
		}
		return Facts{factVerdicts: noCopies}, nil
	}
	var serials []string
	for i, entry := range openOf(answer) {
		serial, verdict, ok := strings.Cut(entry, ": ")
		if !ok || serial == "" {
			return nil, errors.New("want SERIAL: VERDICT; SERIAL: VERDICT")
		}
		if err := checkVerdict(verdict); err != nil {
			return nil, fmt.Errorf("copy %d: %w", i+1, err)
		}
		serials = append(serials, serial)
	}
	for _, r := range recorded {
		if !slices.ContainsFunc(serials, func(serial string) bool { return isCopy(r, serial) }) {
			return nil, fmt.Errorf("no verdict on %s", printable.Quote(r))
		}
	}
	return Facts{factVerdicts: printable.Text(answer)}, nil
}

// isCopy reports whether a recorded copy is the one of a serial.
func isCopy(recorded, serial string) bool {
	words := strings.FieldsFunc(recorded, func(r rune) bool { return strings.ContainsRune(" ,:", r) })
	return slices.Contains(words, serial)
}

func checkVerdict(verdict string) error {
	switch date, backup := strings.CutPrefix(verdict, inBackup); {
	case backup:
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return errors.New("want vendor's backup until YYYY-MM-DD")
		}
		return nil
	case verdict == unreachable, isDestroyed(verdict) && strings.Count(verdict, ", ") == 2:
		return nil
	}
	return errors.New("want a verdict: destroyed and searched for, WHO, DATE; unreachable; or vendor's backup until DATE")
}

func isDestroyed(verdict string) bool { return strings.HasPrefix(verdict, wasDestroyed+", ") }

// stillOpen are the copies that verdicts leave open. Here is the serial of the token that is searched now.
func stillOpen(verdicts, here string) (open []string) {
	for _, entry := range openOf(verdicts) {
		serial, verdict, _ := strings.Cut(entry, ": ")
		if !isDestroyed(verdict) && serial != here {
			open = append(open, entry)
		}
	}
	return open
}

// recordedCopies are those of a version's key that are not known to be destroyed: as its last destruction
// left them, or as the ceremony that made it recorded them.
func recordedCopies(s *Site, v kek.Version) []string {
	for _, log := range slices.Backward(s.History.Logs) {
		opened := log.Opened()
		if log.Done(transcript.ActDestroy) && opened.Version(transcript.FactVersion) == v {
			return openOf(log.Facts[transcript.FactCopies])
		}
		_, made := log.Facts.Canary(v)
		if made && (opened.Version(transcript.FactTo) == v || opened[transcript.FactKind] == transcript.KindAdopt) {
			return openOf(log.Facts["copies"])
		}
	}
	return nil
}

// openOf parts copies; none: there is none.
func openOf(text string) (all []string) {
	for entry := range strings.SplitSeq(text, ";") {
		if entry = strings.TrimSpace(entry); entry != "" && !isNone.MatchString(entry) {
			all = append(all, entry)
		}
	}
	return all
}

// isNone finds what people answer where there is no copy: none, perhaps with a reason.
var isNone = regexp.MustCompile(`(?i)^(none|n/a|not applicable)\b`)

func joinCopies(all []string) string {
	if len(all) == 0 {
		return noCopies
	}
	return strings.Join(all, "; ")
}
