package tui

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// wideNumbers is the narrowest page on which the numbers of a re-wrap stand in columns.
const wideNumbers = 68

// rewrap is how far a re-wrap is.
func (b box) rewrap(v engine.View, now time.Time) []string {
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
		limit = printable.Count(p.Limit) + "/s"
	}
	rate := "-"
	if p.Rate > 0 && p.State == engine.Running {
		rate = printable.Count(int(math.Round(p.Rate))) + "/s"
	}
	state := good.Render(text.State(v))
	if p.State != engine.Running {
		state = pending.Render(text.State(v))
	}
	lines := []string{fmt.Sprintf("   %s  %5.1f %%", b.bar(share, min(60, b.page()-16)), 100*share), ""}
	numbers := []string{
		fmt.Sprintf("   done       %-10s left       %-10s of %s", printable.Count(done), printable.Count(p.Left),
			printable.Count(p.Total)),
		fmt.Sprintf("   rate       %-10s limit      %-10s ETA  %s", rate, limit, text.ETA(p.ETA, now)),
		fmt.Sprintf("   conflicts  %-10s undecryptable %-7s pass %d", printable.Count(p.Conflicts),
			printable.Count(p.Undecryptable), p.Passes),
	}
	if b.page() < wideNumbers {
		numbers = []string{
			fmt.Sprintf("   done       %s of %s, left %s", printable.Count(done), printable.Count(p.Total),
				printable.Count(p.Left)),
			fmt.Sprintf("   rate       %s, limit %s", rate, limit),
			"   ETA        " + text.ETA(p.ETA, now),
			fmt.Sprintf("   conflicts  %s, undecryptable %s, pass %d", printable.Count(p.Conflicts),
				printable.Count(p.Undecryptable), p.Passes),
		}
	}
	if p.Before > 0 {
		lines = append(lines, "   before     "+printable.Count(p.Before)+" by earlier runs")
	}
	lines = append(lines, numbers...)
	name := "   workers    "
	for _, row := range text.Rows(p.Workers, b.page()-2-len(name)) {
		lines = append(lines, name+row)
		name = strings.Repeat(" ", len(name))
	}
	return append(lines, "   in         "+p.Collection, "   state      "+state)
}

// bar is a share of so many columns.
func (b box) bar(share float64, width int) string {
	full := int(share * float64(width))
	return good.Render(strings.Repeat(b.full, full)) + past.Render(strings.Repeat(b.empty, max(0, width-full)))
}

// runKeys are those of a re-wrap.
func runKeys(p engine.Progress) []key {
	pause := key{"p", "pause", "pause the re-wrap; who asks is recorded"}
	if p.State == engine.Paused {
		pause = key{"p", "resume", "resume the re-wrap; who asks is recorded"}
	}
	return []key{pause, {"-", "slower", "half the rate"}, {"+", "faster", "twice the limit"},
		{"r", "rate", "type a limit of envelopes per second"}}
}
