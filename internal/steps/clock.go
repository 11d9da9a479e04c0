package steps

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// wallClock is a question for the time that a person reads from the wall.
func wallClock(name, question string) Field {
	return Field{Name: name, Question: question,
		Help:    "YYYY-MM-DD HH:MM, NAME; or with a time zone: HH:MM +02:00, NAME" + orReason,
		Example: "2026-11-23 14:05, alice", Propose: rehearsed(notSeen),
		Check: func(s *Site, answer string) (Facts, error) {
			difference := ""
			facts, err := orNot(name, func(s *Site, answer string) (err error) {
				difference, err = checkClock(s, answer, time.Now())
				return err
			})(s, answer)
			if err == nil && difference != "" {
				facts[name] += " (" + difference + ")"
			}
			return facts, err
		}}
}

// differs begins the reason of people who record that the wall and the console show other times.
const differs = "differs: "

// checkClock compares the wall with the console, whose time is now. What the wall shows is in the
// console's time zone, in UTC or in the one of the answer. A difference is refused, unless people
// record it with a reason; then it is returned, for the transcript.
func checkClock(s *Site, answer string, now time.Time) (difference string, err error) {
	shown, name, ok := strings.Cut(answer, ",")
	name, reason, differing := strings.Cut(name, ",")
	reason, reasoned := strings.CutPrefix(strings.TrimSpace(reason), differs)
	if !ok || differing && !reasoned {
		return "", errors.New("want YYYY-MM-DD HH:MM, NAME")
	}
	if err := known(s, strings.TrimSpace(name)); err != nil {
		return "", err
	}
	off, err := apart(strings.TrimSpace(shown), now)
	const resolution = 3 * time.Minute
	switch {
	case err != nil:
		return "", err
	case off.Abs() <= resolution:
		return "", nil
	case !differing:
		return "", fmt.Errorf("the wall clock is %s the console's clock, which shows %s UTC: set the wrong one; "+
			"or name the wall's time zone, as in HH:MM +02:00, NAME; or record the difference: add \", %sREASON\"",
			span(off), now.UTC().Format("2006-01-02 15:04"), differs)
	}
	return span(off) + " the console's clock", engine.CheckText(reason)
}

// apart is how far the wall is ahead of now, in the time zone in which it is least.
func apart(shown string, now time.Time) (time.Duration, error) {
	const clock = "2006-01-02 15:04"
	if wall, err := time.Parse(clock+" -07:00", shown); err == nil {
		return wall.Sub(now), nil
	}
	wall, err := time.ParseInLocation(clock, shown, time.UTC)
	if err != nil {
		return 0, errors.New("want YYYY-MM-DD HH:MM, NAME")
	}
	off := wall.Sub(now)
	local, err := time.ParseInLocation(clock, shown, now.Location())
	if err == nil && local.Sub(now).Abs() < off.Abs() {
		off = local.Sub(now)
	}
	return off, nil
}

// span says how far ahead or behind a clock is, and of what.
func span(off time.Duration) string {
	where := "ahead of"
	if off < 0 {
		where = "behind"
	}
	minutes := int(off.Abs().Round(time.Minute) / time.Minute)
	switch days, hours := minutes/60/24, minutes/60%24; {
	case days > 0:
		return fmt.Sprintf("%d days %d h %d min %s", days, hours, minutes%60, where)
	case hours > 0:
		return fmt.Sprintf("%d h %d min %s", hours, minutes%60, where)
	}
	return fmt.Sprintf("%d min %s", minutes, where)
}
