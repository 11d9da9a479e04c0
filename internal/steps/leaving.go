package steps

import (
	"errors"
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
			{Name: transcript.FactDiffered, Question: "Deviations from the steps",
				Help:    "none, or: EXPECTED / SEEN / DECIDED / BY WHOM",
				Example: "three operators / two came / continued with two / alice and bob",
				Check:   checkDiffered, Propose: rehearsed(transcript.NothingDiffered)},
		}, Reports: func(f Facts) (Facts, bool) {
			d, err := reported(f[transcript.FactDiffered])
			return d, err == nil
		}},
	}
}

func checkDiffered(_ *Site, answer string) (Facts, error) {
	if strings.EqualFold(answer, transcript.NothingDiffered) {
		return Facts{transcript.FactDiffered: "none"}, nil
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
