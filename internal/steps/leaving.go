package steps

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// leaving asks what is to be known at the end.
func leaving() Step {
	return Step{
		Name: "leaving", Title: "Before you sign the end",
		Why: "Report now what differed from the steps. This is the last chance.",
		Ask: &Form{Fields: []Field{
			textField("bags_out", "Tamper-evident bags closed again, and their contents", "numbers, content",
				"100201, the token"),
			wallClock("clock_out", "Time on the wall clock now, and who read it"),
			{Name: transcript.FactDiffered, Question: "Deviations from the steps that are not recorded yet",
				Help:    "none, or: EXPECTED / SEEN / DECIDED / BY WHOM",
				Example: "three operators / two came / continued with two / alice and bob",
				Check:   checkDiffered, Propose: nothingDiffered},
		}, Shows: recordedSoFar, Reports: func(f Facts) (Facts, bool) {
			d, err := reported(f[transcript.FactDiffered])
			return d, err == nil
		}},
	}
}

// recordedSoFar are the deviations that the log has, for the page: nobody can say what is not recorded yet without
// them.
func recordedSoFar(s *Site) (all []Detail) {
	for i, d := range s.Recorded {
		all = append(all, Detail{Name: fmt.Sprintf("deviation %d", i+1), Value: engine.Deviation(d)})
	}
	return all
}

// nothingDiffered proposes none in a rehearsal of which no deviation is recorded.
func nothingDiffered(s *Site) string {
	if len(s.Recorded) > 0 {
		return ""
	}
	return rehearsed(transcript.NothingDiffered)(s)
}

// checkDiffered takes none as what was asked: no deviation that is not recorded. A log that has one never says
// that none was reported.
func checkDiffered(s *Site, answer string) (Facts, error) {
	if n := len(s.Recorded); strings.EqualFold(answer, transcript.NothingDiffered) && n > 0 {
		return Facts{transcript.FactOthers: fmt.Sprintf("none beside the %d recorded", n)}, nil
	}
	if strings.EqualFold(answer, transcript.NothingDiffered) {
		return Facts{transcript.FactDiffered: transcript.NothingDiffered}, nil
	}
	if _, err := reported(answer); err != nil {
		return nil, err
	}
	return Facts{transcript.FactDiffered: printable.Text(answer)}, nil
}

// reported reads what people report.
func reported(answer string) (Facts, error) {
	parts := strings.Split(answer, " / ")
	if len(parts) != 4 {
		return nil, errors.New(`want "none", or EXPECTED / SEEN / DECIDED / BY WHOM with " / " between`)
	}
	return engine.ReportOf([4]string(parts)).Facts()
}
