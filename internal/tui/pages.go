package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"github.com/certautopilot/kekceremony/internal/engine"
)

func details(v engine.View, width int) []string {
	var lines []string
	for _, d := range v.Details {
		lines = append(lines, para(past, fmt.Sprintf(" %-14s ", d.Name), d.Value, width)...)
	}
	return lines
}

// probe shows the verdicts line by line.
func probe(v engine.View, width int) []string {
	marks := map[engine.Outcome]string{engine.Trying: "[>>]", engine.Passed: "[ok]", engine.Failed: "[NO]"}
	styles := map[engine.Outcome]lipgloss.Style{engine.Trying: accent, engine.Passed: lipgloss.NewStyle(),
		engine.Failed: alarm}
	var lines []string
	for _, p := range v.Probe {
		head := fmt.Sprintf("   %s  %-12s ", marks[p.Outcome], p.Line)
		lines = append(lines, para(styles[p.Outcome], head, p.Detail, width)...)
	}
	return lines
}

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

// progress is the rotate screen.
func progress(v engine.View, width int, now time.Time) []string {
	p := v.Progress
	if p == nil {
		return nil
	}
	done := p.Total - p.Left
	share := 1.0
	if p.Total > 0 {
		share = float64(done) / float64(p.Total)
	}
	limit := "none"
	if p.Limit > 0 {
		limit = count(p.Limit) + "/s"
	}
	rate := "-"
	if p.Rate > 0 {
		rate = fmt.Sprintf("%.0f/s", p.Rate)
	}
	state := p.State
	if state != engine.Running {
		state = accent.Render(state)
	}
	return []string{
		fmt.Sprintf("   %s  %5.1f %%", bar(share, min(46, width-16)), 100*share),
		"",
		fmt.Sprintf("   done       %-10s left       %-10s of %s", count(done), count(p.Left), count(p.Total)),
		fmt.Sprintf("   rate       %-10s limit      %-10s ETA  %s", rate, limit, eta(p.ETA, now)),
		fmt.Sprintf("   conflicts  %-10s undecryptable %-7s pass %d", count(p.Conflicts), count(p.Undecryptable), p.Passes),
		"   workers    " + p.Workers,
		"   now        " + p.Place,
		"   state      " + state,
	}
}

func bar(share float64, width int) string {
	full := int(share * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", max(0, width-full)) + "]"
}

func eta(e engine.ETA, now time.Time) string {
	switch {
	case !e.Known:
		return "unknown: " + e.Why
	case e.From == e.To:
		return fmt.Sprintf("%s, near %s", span(e.To), now.Add(e.To).Format("15:04:05"))
	}
	return fmt.Sprintf("%s to %s", span(e.From), span(e.To))
}

// ending is the last page: what was done, the digest to write down, and how to
// check it with and without this program.
func ending(v engine.View, width int) []string {
	e := v.Ending
	var lines []string
	for _, s := range append(e.Summary, "Final signatures: "+strings.Join(e.Signed, ", ")+".") {
		lines = append(lines, para(lipgloss.NewStyle(), " ", s, width-1)...)
	}
	lines = append(lines, "")
	for i, g := range groups(e.Digest, width) {
		label := " Final digest  "
		if i > 0 {
			label = strings.Repeat(" ", len(label))
		}
		lines = append(lines, label+strong.Render(g))
	}
	lines = append(lines, accent.Render(" Write it down now, each on your own paper."), "",
		" Transcript    "+e.Bundle)
	return append(lines, commands(e)...)
}

// commands check a bundle, each by copying one line.
func commands(e *engine.Ending) []string {
	return []string{
		" Check it      kekceremony transcript verify \\",
		"                 " + e.Bundle,
		" Stock tools   cd " + e.Bundle,
		fmt.Sprintf("               ssh-keygen -Y verify -f roster -I %s \\", e.Signer),
		fmt.Sprintf("                 -n %s \\", e.Space),
		fmt.Sprintf("                 -s final.%[1]s.txt.sig < final.%[1]s.txt", e.Signer),
		"               sha256sum final.txt",
	}
}

// farewell stays on the terminal when the screen is gone.
func (m *model) farewell() string {
	e := m.view.Ending
	if e == nil {
		return ""
	}
	return strings.Join(append(e.Lines(), commands(e)...), "\n") + "\n"
}
