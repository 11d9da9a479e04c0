package tui

import (
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
)

// fleetTable shows each process, and what it lacks.
func fleetTable(v engine.View) []string {
	if v.Fleet == nil {
		return nil
	}
	t := v.Fleet
	writes, newest := 0, time.Duration(-1)
	for _, p := range t.Live() {
		if p.Writes {
			writes++
		}
		if newest < 0 || p.Age < newest {
			newest = p.Age
		}
	}
	head := fmt.Sprintf(" Fleet   %d of %d live processes write %d", writes, len(t.Live()), t.Target)
	if len(t.Live()) > 0 {
		head += ", newest heartbeat " + ago(newest)
	}
	lines := []string{head}
	if v.Progress != nil {
		return lines
	}
	for _, p := range t.Processes {
		lines = append(lines, "   "+processLine(p, *t))
	}
	if t.More {
		lines = append(lines, "   more silent processes")
	}
	return lines
}

// ago is how old a heartbeat is. A process whose clock is ahead of the store's has one of
// the future.
func ago(age time.Duration) string {
	if age < 0 {
		return fmt.Sprintf("%.0f s ahead", -age.Seconds())
	}
	return fmt.Sprintf("%.0f s ago", age.Seconds())
}

func processLine(p engine.Process, t engine.Fleet) string {
	state := alarm.Render("[needed]") + fmt.Sprintf("  lacks version %d", t.Target)
	switch {
	case p.Silent:
		state = accent.Render("[silent]") + "  stopped reporting"
	case p.Has && p.Writes:
		state = "[ok]      " + fmt.Sprintf("has and writes %d", t.Target)
	case p.Has:
		state = "[ok]      " + fmt.Sprintf("has %d, writes %d", t.Target, p.Current)
	}
	line := fmt.Sprintf("%-36s %s, %s", p.Name, state, ago(p.Age))
	if p.Trouble != "" {
		line += "  " + p.Trouble
	}
	return line
}
