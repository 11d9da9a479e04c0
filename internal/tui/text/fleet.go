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
	has, writes, newest := 0, 0, time.Duration(-1)
	for _, p := range t.Live() {
		if p.Has {
			has++
		}
		if p.Writes {
			writes++
		}
		if newest < 0 || p.Age < newest {
			newest = p.Age
		}
	}
	line := fmt.Sprintf("Fleet   %d of %d live processes write %d", writes, len(t.Live()), t.Target)
	if writes < len(t.Live()) {
		line = fmt.Sprintf("Fleet   %d of %d live processes have %d, %d write it", has, len(t.Live()), t.Target, writes)
	}
	if len(t.Live()) > 0 {
		line += ", newest heartbeat " + Ago(newest)
	}
	return line
}

// Ago is how old a heartbeat is. A process whose clock is ahead of the store's has one of
// the future.
func Ago(age time.Duration) string {
	if age < 0 {
		return fmt.Sprintf("%.0f s ahead", -age.Seconds())
	}
	return fmt.Sprintf("%.0f s ago", age.Seconds())
}

// The marks of processes.
const (
	Needed = "[needed]"
	Silent = "[silent]"
	Waits  = "[>>]" // the page waits for it
	OK     = "[ok]"
)

// Waiting is what a page waits for. Processes that the page lists are not named again.
func Waiting(v engine.View) string {
	before, names, ok := strings.Cut(v.Waiting, ": ")
	if ok && v.Fleet != nil && slices.ContainsFunc(v.Fleet.Processes, func(p engine.Process) bool {
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
