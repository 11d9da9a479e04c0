package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Report is a deviation from the steps that people report, at any time: what they expected, what
// they saw, what was decided, and by whom.
type Report struct{ Expected, Seen, Decided, By string }

// ErrLate is returned for a report that no line can record: the log is closed, or not begun.
var ErrLate = errors.New("the log takes no deviation now; state it when you sign the end")

// reportFacts are the names of a report's parts in the log, in order. What each is, is the step's
// or the ceremony's to say: the log says that people reported it.
var reportFacts = []string{transcript.FactExpected, transcript.FactSeen, transcript.FactDecided, transcript.FactBy}

// Parts are what was expected, seen and decided, and by whom, in this order.
func (r Report) Parts() []string { return []string{r.Expected, r.Seen, r.Decided, r.By} }

// ReportOf makes a report of its parts, in their order.
func ReportOf(parts [4]string) Report { return Report{parts[0], parts[1], parts[2], parts[3]} }

// CheckPart refuses what cannot be a report's part: it says nothing, or may be a PIN.
func CheckPart(i int, text string) error {
	if err := CheckText(text); err != nil {
		return fmt.Errorf("%s: %w", reportFacts[i], err)
	}
	return nil
}

// Facts are what a deviation's line records of it.
func (r Report) Facts() (Facts, error) {
	facts := Facts{transcript.FactWhat: "reported by the operators"}
	for i, part := range r.Parts() {
		name := reportFacts[i]
		if facts[name] = printable.Text(strings.TrimSpace(part)); facts[name] == "" {
			return nil, fmt.Errorf("%s is empty", name)
		}
	}
	return facts, nil
}
