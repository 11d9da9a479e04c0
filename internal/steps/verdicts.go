package steps

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

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
func askVerdicts(f Facts) Step {
	which, name, example := "Each copy that was recorded, and each other token of the ceremonies, needs a verdict by "+
		"its serial.", "SERIAL", "5b1f"
	if f[transcript.FactOnToken] == "no" {
		which, name, example = "Each copy that was recorded needs a verdict. You are asked about the hosts of the "+
			"fleet after the key is removed here.", "COPY", "paper in safe B"
	}
	return Step{
		Name: "verdicts", Title: "Copies of the key",
		Why: which + " A copy that is not destroyed stays open, and the version does not count as destroyed until it is.",
		Ask: &Form{Shows: func(s *Site) []Detail { return recordedDetails(copiesOf(s, f)) }, Fields: []Field{{
			Name: factVerdicts, Question: "What became of each copy?",
			Help: strings.ReplaceAll("COPY: destroyed and searched for, WHO, DATE; COPY: unreachable; "+
				"COPY: vendor's backup until DATE; or: none", "COPY", name),
			Example: example + ": destroyed and searched for, bob, 2026-02-01",
			Check:   func(s *Site, answer string) (Facts, error) { return checkVerdicts(s, f, answer) },
			Propose: func(s *Site) string {
				if len(copiesOf(s, f)) > 0 {
					return ""
				}
				return noCopies
			},
		}}},
	}
}

// recordedDetails are the copies that are recorded, for the page.
func recordedDetails(recorded []string) (all []Detail) {
	for i, r := range recorded {
		all = append(all, Detail{Name: fmt.Sprintf("copy %d", i+1), Value: printable.Text(r)})
	}
	if all == nil {
		all = []Detail{{Name: "copies", Value: "none is recorded"}}
	}
	return all
}

// checkVerdicts demands a verdict on each copy that is recorded, and takes those that are not. The token that is here
// needs none: one on it would be about something else of that name.
func checkVerdicts(s *Site, f Facts, answer string) (Facts, error) {
	recorded, here := copiesOf(s, f), ""
	if s != nil {
		here = s.Reached["serial"]
	}
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
		if here != "" && isHere(serial, here) && f[transcript.FactCloses] != "yes" {
			return nil, fmt.Errorf("copy %d: it is the token that is searched now, which needs no verdict: name a copy by its "+
				"whole description", i+1)
		}
		serials = append(serials, serial)
	}
	if err := eachOnce(recorded, serials, here); err != nil {
		return nil, err
	}
	return Facts{factVerdicts: printable.Text(answer)}, nil
}

// eachOnce demands for each copy that is recorded one serial, and of no serial that it may mean two of them.
func eachOnce(recorded, serials []string, here string) error {
	isCopy := func(recorded, serial string) bool {
		return isCopy(recorded, serial) && (!isHere(serial, here) || isHere(deviceOf(recorded), here))
	}
	for i, serial := range serials {
		n := 0
		for _, r := range recorded {
			if isCopy(r, serial) {
				n++
			}
		}
		if n > 1 || slices.Contains(serials[:i], serial) {
			return fmt.Errorf("copy %d: it names more than one copy, or is named twice", i+1)
		}
	}
	for _, r := range recorded {
		n := 0
		for _, serial := range serials {
			if isCopy(r, serial) {
				n++
			}
		}
		switch {
		case n == 0:
			return fmt.Errorf("no verdict on %s", printable.Quote(r))
		case n > 1:
			return fmt.Errorf("two verdicts on %s", printable.Quote(r))
		}
	}
	return nil
}

// isCopy reports whether a serial names a recorded copy: it is the device, which stands before the first comma or
// before the last verdict, or a word of it that has a digit.
func isCopy(recorded, serial string) bool {
	device := deviceOf(recorded)
	return serial == device || strings.ContainsAny(serial, "0123456789") && slices.Contains(strings.Fields(device), serial)
}

func deviceOf(recorded string) string {
	device, _, _ := strings.Cut(recorded, ", ")
	if name, verdict, ok := strings.Cut(recorded, ": "); ok && checkVerdict(verdict) == nil {
		device = name
	}
	return device
}

// isHere reports whether the whole name of a device is that of the token with a serial. A word of it does not make it
// that: a clone may be described by its original.
func isHere(device, serial string) bool {
	return serial != "" && (device == serial || device == transcript.KeyPlace(Facts{"serial": serial}))
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

// stillOpen are the copies that verdicts leave open. Here are the names of the place that is searched now: the serial
// of its token, and the place.
func stillOpen(verdicts string, here ...string) (open []string) {
	for _, entry := range openOf(verdicts) {
		serial, verdict, _ := strings.Cut(entry, ": ")
		if !isDestroyed(verdict) && !slices.Contains(here, serial) {
			open = append(open, entry)
		}
	}
	return open
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
