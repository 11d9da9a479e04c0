package text

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
)

// Plan is the effects of a plan, two lines each.
func Plan(r engine.Request) (lines [][2]string) {
	for i, e := range r.Plan {
		line := fmt.Sprintf("%d  %-9s %s", i+1, e.Verb, e.Object)
		if e.Estimate != "" {
			line += estimated(e.Estimate)
		}
		lines = append(lines, [2]string{line, Undo(e.Undo, "")})
	}
	return lines
}

// WholePlan stands above the whole plan.
const WholePlan = "The whole plan, line by line: the plan digest is its SHA-256."

// Whole is each line of the whole plan: the name with its colon, and what stands behind it.
func Whole(r engine.Request) (lines [][2]string) {
	for _, line := range strings.Split(strings.TrimSuffix(r.Text, "\n"), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			name, value = "", line
		} else {
			name += ": "
		}
		lines = append(lines, [2]string{printable.Shown(name), printable.Shown(value)})
	}
	return lines
}

// Undo says how a change is undone, or what comes of it where it cannot be; of: of which change.
func Undo(undo, of string) string {
	if undo == "none" {
		return "NO UNDO" + of
	}
	if why, none := strings.CutPrefix(undo, "none: "); none {
		return "NO UNDO" + of + ": " + why
	}
	return "undo" + of + ": " + undo
}

// Final reports whether a change cannot be undone.
func Final(undo string) bool { return undo == "none" || strings.HasPrefix(undo, "none: ") }
