package line

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
)

var steeringHelp = []string{
	"  pause      pause the re-wrap", "  resume     resume it", "  slower     half the rate",
	"  faster     twice the limit",
	"  rate N     at most N envelopes per second; 0: no limit",
}

// steering is what somebody asks of the re-wrap: it is done when they have said who asks,
// since it becomes an event of the transcript.
type steering struct {
	action engine.Action
	rate   int
	typed  string
	people []string // who may ask
	do     func(by string)
}

// steers reports whether the re-wrap can be throttled now: it runs, and the engine asks nothing.
func (f *face) steers() bool { return f.page.view.Progress != nil && f.ask == nil }

// steer takes a line that throttles the re-wrap.
func (f *face) steer(line string) bool {
	if !f.steers() {
		return false
	}
	v := f.page.view
	verb, number, _ := strings.Cut(line, " ")
	s := &steering{action: engine.Action(verb), rate: int(v.Progress.Rate), typed: line, people: f.page.people()}
	if s.action == engine.SetRate {
		var err error
		if s.rate, err = strconv.Atoi(number); err != nil || s.rate < 0 || s.rate > 999_999 {
			if f.asked() != nil { // then it may be an answer
				return false
			}
			f.say("rate: want a number of envelopes per second")
			return true
		}
	} else if !slices.Contains([]engine.Action{engine.Pause, engine.Resume, engine.Slower, engine.Faster}, s.action) ||
		number != "" {
		return false
	}
	s.do = func(by string) { f.control.Do(s.action, by, s.rate) }
	f.steering = s
	f.again()
	return true
}

func (s *steering) page() []string { return s.again() }

func (s *steering) again() []string {
	return []string{fmt.Sprintf("%s: who asks? Type the name: %s. Enter alone: nobody.", s.typed,
		strings.Join(s.people, ", "))}
}

func (s *steering) words() []word { return nil }

func (s *steering) answers(line string) bool { return s.who(line) != "" }

// who is the one who attends and has a name; empty: nobody.
func (s *steering) who(name string) string {
	for _, present := range s.people {
		if strings.EqualFold(present, name) {
			return present
		}
	}
	return ""
}

// take does what was asked for, in somebody's name.
func (s *steering) take(name string) (says []string, done bool) {
	by := s.who(name)
	if by == "" {
		return []string{string(s.action) + ": not done: type the name of somebody who attends"}, true
	}
	s.do(by)
	return []string{fmt.Sprintf("%s, asked by %s", s.action, by)}, true
}

// unsteered ends what nobody was named for, when there is no re-wrap to throttle any more.
func (f *face) unsteered() {
	if s := f.steering; s != nil && !f.steers() {
		f.steering = nil
		f.say(s.typed + ": not done: there is no re-wrap to throttle now")
	}
}
