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

// steer takes a line while the re-wrap runs and no question is open.
func (f *face) steer(line string) bool {
	v := f.page.view
	if v.Progress == nil || f.ask != nil {
		f.steering = nil
		return false
	}
	if f.steering != nil {
		f.by(line)
		return true
	}
	verb, number, _ := strings.Cut(line, " ")
	s := &steering{action: engine.Action(verb), rate: int(v.Progress.Rate)}
	if s.action == engine.SetRate {
		var err error
		if s.rate, err = strconv.Atoi(number); err != nil || s.rate < 0 || s.rate > 999_999 {
			f.say("rate: want a number of envelopes per second")
			return true
		}
	} else if !slices.Contains([]engine.Action{engine.Pause, engine.Resume, engine.Slower, engine.Faster}, s.action) ||
		number != "" {
		return false
	}
	f.steering = s
	f.say(fmt.Sprintf("%s: who asks? Type the name: %s. Enter alone: nobody.", line, v.Attended))
	f.prompt()
	return true
}

// by does what was asked for, in somebody's name.
func (f *face) by(name string) {
	s := f.steering
	f.steering = nil
	for _, present := range f.page.people() {
		if strings.EqualFold(present, name) {
			f.control.Do(s.action, present, s.rate)
			f.say(fmt.Sprintf("%s, asked by %s", s.action, present))
			return
		}
	}
	f.say(string(s.action) + ": not done: type the name of somebody who attends")
}
