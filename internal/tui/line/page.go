package line

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// between two lines of progress that differ only in numbers.
const between = 10 * time.Second

// page is what was said of the engine's page.
type page struct {
	view     engine.View // the newest
	said     []string    // lines that are not said again on this page
	asked    []string    // questions: their answers stand where they were typed
	progress time.Time   // when it was said
	state    string      // of the re-wrap, then
	told     int         // what was left, then
}

// turns reports whether a view is of another page than the last.
func (p *page) turns(v engine.View) bool {
	return v.Step != p.view.Step || v.Title != p.view.Title || v.N != p.view.N ||
		(v.Ending == nil) != (p.view.Ending == nil)
}

// asks notes that a question was asked.
func (p *page) asks(name string) { p.asked = append(p.asked, name) }

// lines are what is new in a view.
func (p *page) lines(v engine.View, fresh bool, now time.Time) []string {
	var lines []string
	if fresh {
		lines = append(lines, p.last()...)
		*p = page{}
		lines = append(lines, "", header(v))
		if v.Why != "" {
			lines = append(lines, v.Why)
		}
	}
	p.view = v
	if v.Ending != nil && fresh {
		return append(lines, ending(v.Ending)...)
	}
	lines = append(lines, p.unsaid(p.details(v))...)
	lines = append(lines, p.unsaid(probe(v))...)
	lines = append(lines, p.unsaid(fleet(v))...)
	lines = append(lines, p.rewrap(v, now)...)
	if v.Waiting != "" {
		waiting := text.Waiting(v)
		lines = append(lines, p.unsaid([]string{strings.ToUpper(waiting[:1]) + waiting[1:]})...)
	}
	if v.Remedy != "" {
		lines = append(lines, p.unsaid([]string{"  " + v.Remedy})...)
	}
	return lines
}

// unsaid leaves out what was said on this page.
func (p *page) unsaid(lines []string) (fresh []string) {
	for _, line := range lines {
		if !slices.Contains(p.said, line) {
			fresh = append(fresh, line)
		}
	}
	p.said = append(p.said, fresh...)
	return fresh
}

// header says where we are.
func header(v engine.View) string {
	parts := []string{"kekceremony " + text.Ceremony(v)}
	if v.Replay {
		parts = append(parts, "REPLAY")
	}
	if v.Rehearsal {
		parts = append(parts, "REHEARSAL")
	}
	if at := text.Place(v); at != "" {
		parts = append(parts, at)
	}
	line := "== " + strings.Join(parts, ", ")
	if v.Title != "" {
		line += ": " + v.Title
	}
	return line + " =="
}

func (p *page) details(v engine.View) (lines []string) {
	for _, d := range v.Details {
		if !slices.Contains(p.asked, d.Name) {
			head, value := text.DetailOf(v.Details, d)
			lines = append(lines, item(head, value))
		}
	}
	return lines
}

// probe is the verdicts that there are.
func probe(v engine.View) (lines []string) {
	for _, p := range v.Probe {
		if p.Outcome != engine.Trying {
			mark := text.Marks[p.Outcome]
			if p.Needless() {
				mark = "[--]"
			}
			lines = append(lines, item(fmt.Sprintf("%s %-12s ", mark, p.Line), p.Detail))
		}
	}
	return lines
}

// fleet is a line for each process, without its age: it is said when something else changes.
func fleet(v engine.View) (lines []string) {
	if v.Fleet == nil || v.Progress != nil {
		return nil
	}
	for _, p := range v.Fleet.Processes {
		mark, says := text.Process(p, v)
		line := item(mark+" ", p.Name+": "+says)
		if p.Trouble != "" {
			line += "; " + p.Trouble
		}
		lines = append(lines, line)
	}
	if v.Fleet.More {
		lines = append(lines, "  "+text.More)
	}
	return lines
}

// rewrap is its progress, at a rate that a person can follow.
func (p *page) rewrap(v engine.View, now time.Time) []string {
	w := v.Progress
	if w == nil || w.State == p.state && now.Sub(p.progress) < between {
		return nil
	}
	p.progress, p.state, p.told = now, w.State, w.Left
	lines := []string{amount(v) + ", ETA " + text.ETA(w.ETA, now)}
	if w.Conflicts > 0 || w.Undecryptable > 0 {
		lines = append(lines, fmt.Sprintf("conflicts %s, undecryptable %s", printable.Count(w.Conflicts),
			printable.Count(w.Undecryptable)))
	}
	return lines
}

// last is how far a re-wrap came, if that was not said.
func (p *page) last() []string {
	w := p.view.Progress
	if w == nil || w.Left == p.told {
		return nil
	}
	return []string{amount(p.view)}
}

// amount is how far a re-wrap is, and how fast.
func amount(v engine.View) string {
	w := v.Progress
	done := w.Total - w.Left
	line := fmt.Sprintf("%s: %s of %s done, %s left", text.State(v), printable.Count(done), printable.Count(w.Total),
		printable.Count(w.Left))
	if w.Before > 0 {
		line += fmt.Sprintf(", %s done before", printable.Count(w.Before))
	}
	if w.Rate > 0 {
		line += fmt.Sprintf(", %s/s", printable.Count(int(math.Round(w.Rate))))
	}
	if w.Limit > 0 {
		line += fmt.Sprintf(", limit %s/s", printable.Count(w.Limit))
	}
	return line
}

// ending is the last page.
func ending(e *engine.Ending) []string {
	lines := text.Says(e)
	if e.Digest != "" {
		lines = append(lines, digest("Final digest", e.Digest)...)
		lines = append(lines, text.WriteDown)
	}
	return slices.Concat(lines, text.Bundle(e, maxWidth), text.Commands(e, maxWidth))
}

// digest is a digest in groups, for people who compare it.
func digest(label, sum string) []string {
	lines := []string{label + ":"}
	for _, g := range text.Groups(sum, maxWidth) {
		lines = append(lines, "  "+g)
	}
	return lines
}

// people are those who attend.
func (p *page) people() []string {
	if p.view.Attended == "" {
		return nil
	}
	return strings.Split(p.view.Attended, ", ")
}
