package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// DeviationError is a difference that people may continue with: then it is written down
// with their reason, and stands in the plan that M of them sign.
type DeviationError struct {
	What, Expected, Seen string
	Err                  error // the rule that it breaks
}

func (e *DeviationError) Error() string {
	return fmt.Sprintf("%s: was %s, is %s: %s", e.What, printable.Text(e.Expected), printable.Text(e.Seen), e.Err)
}
func (e *DeviationError) Unwrap() error { return e.Err }

// reported reports whether the people have reported it already in this ceremony.
func (s *Site) reported(d Facts) bool {
	return slices.ContainsFunc(s.Deviations, func(f Facts) bool { return maps.Equal(f, d) })
}

// Decided reports whether people have already decided to continue with it in this
// ceremony.
func (s *Site) Decided(d *DeviationError) bool {
	return slices.ContainsFunc(s.Deviations, func(f Facts) bool {
		return f[transcript.FactWhat] == d.What && f[transcript.FactExpected] == printable.Text(d.Expected) &&
			f[transcript.FactSeen] == printable.Text(d.Seen)
	})
}
