package render

import (
	"fmt"
	"time"
)

// span is a length of time in words.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h >= 48:
		return fmt.Sprintf("%d days %d h", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0 && s > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	case m > 0:
		return fmt.Sprintf("%d min", m)
	}
	return fmt.Sprintf("%d s", s)
}

// after is a time between two runs.
func after(d time.Duration) string {
	switch {
	case d < 0:
		return "by a clock that went back"
	case d < time.Second:
		return "at once"
	}
	return span(d) + " later"
}

// dates says when something began and ended, in UTC.
func dates(from, to time.Time) string {
	from, to = from.UTC(), to.UTC()
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format(time.DateOnly+", "+time.TimeOnly) + " to " + to.Format(time.TimeOnly) + " UTC"
	}
	return from.Format(time.DateOnly+" "+time.TimeOnly) + " to " + to.Format(time.DateOnly+" "+time.TimeOnly) + " UTC"
}
