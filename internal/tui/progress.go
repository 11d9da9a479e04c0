package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
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
		limit = text.Count(p.Limit) + "/s"
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
		fmt.Sprintf("   done       %-10s left       %-10s of %s", text.Count(done), text.Count(p.Left), text.Count(p.Total)),
		fmt.Sprintf("   rate       %-10s limit      %-10s ETA  %s", rate, limit, text.ETA(p.ETA, now)),
		fmt.Sprintf("   conflicts  %-10s undecryptable %-7s pass %d", text.Count(p.Conflicts),
			text.Count(p.Undecryptable), p.Passes),
		"   workers    " + p.Workers,
		"   now        " + p.Collection,
		"   state      " + state,
	}
}

func bar(share float64, width int) string {
	full := int(share * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", max(0, width-full)) + "]"
}
