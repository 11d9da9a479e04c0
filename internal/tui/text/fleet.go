package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// Fleet is the fleet in one line.
func Fleet(t engine.Fleet) string {
	has, writes, newest := 0, 0, engine.Process{}
	for i, p := range t.Live() {
		if p.Has {
			has++
		}
		if p.Writes {
			writes++
		}
		if i == 0 || p.Age < newest.Age {
			newest = p
		}
	}
	line := fmt.Sprintf("Fleet   %d of %d live processes write %d", writes, len(t.Live()), t.Target)
	if writes < len(t.Live()) {
		line = fmt.Sprintf("Fleet   %d of %d live processes have %d, %d write %d", has, len(t.Live()), t.Target, writes,
			t.Target)
	}
	if len(t.Live()) > 0 {
		line += "; newest seen " + Seen(t, newest) + " UTC"
	}
	return line
}

// Seen is when the last heartbeat of a process came, on the store's clock, UTC. It stays true on a page that is held,
// which an age does not. One of another day has its date.
func Seen(t engine.Fleet, p engine.Process) string {
	now, at := t.Now.UTC(), t.Now.UTC().Add(-p.Age)
	if now.Format(time.DateOnly) != at.Format(time.DateOnly) {
		return at.Format("2006-01-02 15:04")
	}
	return at.Format(time.TimeOnly)
}

// The marks of processes.
const (
	Needed = "[needed]"
	Silent = "[silent]"
	Waits  = "[>>]" // the page waits for it
	OK     = "[ok]"
)

// Waiting is since when and for what a page waits. Processes that the page lists are not named again.
func Waiting(v engine.View) string {
	since := "waiting"
	if v.Since != "" {
		since += " since " + v.Since
	}
	return since + ": " + waitsFor(v)
}

func waitsFor(v engine.View) string {
	before, names, ok := strings.Cut(v.Waiting, ": ")
	if ok && v.Fleet != nil && v.Progress == nil && slices.ContainsFunc(v.Fleet.Processes, func(p engine.Process) bool {
		return strings.Contains(names, p.Name)
	}) {
		return before
	}
	return v.Waiting
}

// Process is where a process stands, and what that means.
func Process(p engine.Process, v engine.View) (mark, says string) {
	t := *v.Fleet
	ok := OK
	if strings.Contains(v.Waiting, p.Name) {
		ok = Waits
	}
	switch {
	case p.Silent:
		return Silent, "stopped reporting"
	case p.Has && p.Writes:
		return ok, fmt.Sprintf("has and writes %d", t.Target)
	case p.Has:
		return ok, fmt.Sprintf("has %d, writes %d", t.Target, p.Current)
	}
	return Needed, fmt.Sprintf("lacks version %d", t.Target)
}

// More says that a list of processes is cut.
const More = "more silent processes"

// State is that of a re-wrap. Where the page says what it waits for, that is not said again.
func State(v engine.View) string {
	p := v.Progress
	if p.State == engine.Paused && p.PausedBy != "" {
		return p.State + " by " + p.PausedBy
	}
	if v.Waiting == "" {
		return p.State
	}
	state, _, _ := strings.Cut(p.State, ": ")
	return state
}
