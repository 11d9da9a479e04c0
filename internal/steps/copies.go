package steps

import (
	"errors"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// copies has people say where else the new key exists.
func copies() Step {
	return Step{
		Name: "copies", Title: "Copies of the key",
		Why: "A key that exists once is lost with its device or its file.",
		Ask: &Form{Fields: []Field{{
			Name: "copies", Question: "Where else does the key exist?",
			Help:    "for each copy: device or file, who made it, when; or: none",
			Example: "HSM 5b1f in safe B, bob, 2026-11-23",
			Check: func(_ *Site, answer string) (Facts, error) {
				return Facts{"copies": printable.Text(answer)}, nil
			},
			Propose: rehearsed("none"),
		}, {
			Name: transcript.FactEnd, Question: "Planned end of use for this key", Help: "YYYY-MM-DD" + orReason,
			Example: "2028-12-31",
			Check:   orNot(transcript.FactEnd, func(_ *Site, answer string) error { return notOver(answer, time.Now()) }),
			Propose: rehearsed(notSeen),
		}}},
	}
}

// notOver demands a day that is not over in every time zone: the last one is 12 hours behind UTC.
func notOver(day string, now time.Time) error {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return errors.New("want YYYY-MM-DD")
	}
	if now.Sub(d) >= (24+12)*time.Hour {
		return fmt.Errorf("that day is over: the console's clock shows %s", now.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return nil
}
