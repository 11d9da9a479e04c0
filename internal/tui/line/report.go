package line

import (
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// report is a deviation that somebody reports, part by part. The page's question stays open below it.
type report struct {
	parts [4]string // what was typed so far
	at    int       // the part that is asked
	send  func(engine.Report)
}

// deviation begins a report of what differs from the steps, or continues one that was dropped.
func (f *face) deviation() {
	if f.page.view.Replay {
		f.say("This is a replay: nothing is recorded.")
		f.again()
		return
	}
	f.report = &report{parts: f.draft, send: f.records}
	f.say("Report a deviation: four parts. It is recorded at once, and those who sign the end sign it.",
		"The words of every page work here too. To answer with one of them, type "+literal+" before it.")
	f.again()
}

func (r *report) page() []string {
	var lines []string
	for i, part := range r.parts[:r.at] {
		head, value := text.Detail(text.ReportNames[i], printable.Typed(part))
		lines = append(lines, item(head, value))
	}
	return append(lines, r.again()...)
}

func (r *report) again() []string {
	back := "the previous part"
	if r.at == 0 {
		back = "report nothing"
	}
	lines := []string{fmt.Sprintf("Part %d of %d, %s: %s (back: %s)", r.at+1, len(r.parts), text.ReportNames[r.at],
		text.ReportQuestions[r.at], back)}
	if r.parts[r.at] != "" {
		lines = append(lines, enterAlone+printable.Typed(r.parts[r.at]))
	}
	return lines
}

func (r *report) words() []word {
	return []word{
		{"back", "go to the previous part; at the first part, report nothing", func(f *face) {
			if r.at == 0 {
				f.drop()
				return
			}
			r.at--
			f.again()
		}},
		{"drop", "report nothing; what was typed stays for the next report", (*face).drop},
		{"deviation", "", (*face).again},
	}
}

func (r *report) answers(line string) bool { return strings.HasPrefix(line, literal) }

// take takes a part, and after the last one sends the whole.
func (r *report) take(line string) (says []string, done bool) {
	if line == "" {
		line = r.parts[r.at]
	}
	line = strings.TrimSpace(strings.TrimPrefix(line, literal))
	if err := engine.CheckPart(r.at, line); err != nil {
		return append([]string{"Refused: " + err.Error()}, r.again()...), false
	}
	if r.parts[r.at] = line; r.at < len(r.parts)-1 {
		r.at++
		return r.again(), false
	}
	r.send(engine.ReportOf(r.parts))
	return nil, true
}

// drop ends a report of which nothing was recorded.
func (f *face) drop() {
	f.draft, f.report = f.report.parts, nil
	f.say("No deviation was recorded.")
	f.again()
}

// records has the engine record a report.
func (f *face) records(r engine.Report) {
	f.draft = f.report.parts
	f.recorded = f.room.Remark(r)
	if f.control != nil {
		f.control.Wake()
	}
}

// became says what became of a report.
func (f *face) became(err error) {
	f.recorded = nil
	if err != nil {
		f.say("Refused: "+err.Error(), "No deviation was recorded.")
	} else {
		f.draft = [4]string{}
		f.say("The deviation is recorded.")
	}
	f.again()
}

// unreported says that the run ended before a report did, or what became of one that was sent.
func (f *face) unreported() {
	switch {
	case f.recorded != nil: // a room that ended answers what it was sent
		f.became(<-f.recorded)
	case f.report != nil:
		f.say("The report of a deviation was not finished: nothing of it was recorded.")
	}
}
