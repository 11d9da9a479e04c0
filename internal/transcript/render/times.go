package render

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// after is a time between two runs.
func after(d time.Duration) string {
	switch {
	case d < 0:
		return "by a clock that went back"
	case d < time.Second:
		return "at once"
	}
	return printable.Span(d) + " later"
}

// dates says when something began and ended, in UTC.
func dates(from, to time.Time) string {
	from, to = from.UTC(), to.UTC()
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format(time.DateOnly+", "+time.TimeOnly) + " to " + to.Format(time.TimeOnly) + " UTC"
	}
	return from.Format(time.DateOnly+" "+time.TimeOnly) + " to " + to.Format(time.DateOnly+" "+time.TimeOnly) + " UTC"
}
