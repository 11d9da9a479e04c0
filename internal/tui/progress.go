package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
)

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
		"   now        " + p.Collection,
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
		return e.Why
	case e.From == e.To:
		return fmt.Sprintf("%s, near %s", span(e.To), now.Add(e.To).Format("15:04:05"))
	}
	return fmt.Sprintf("%s to %s", span(e.From), span(e.To))
}
