package line

import (
	"fmt"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// deviation begins a report of what differs from the steps.
func (f *face) deviation() {
	if f.page.view.Replay {
		f.say("This is a replay: nothing is recorded.")
		f.again()
		return
	}
	f.report = []string{}
	f.say("Report a deviation: four parts. It is recorded at once, and those who sign the end sign it.")
	f.asksPart()
}

func (f *face) asksPart() {
	at := len(f.report)
	f.say(fmt.Sprintf("Part %d of %d, %s: %s (back: report nothing)", at+1, len(text.ReportNames), text.ReportNames[at],
		text.ReportQuestions[at]))
	f.prompt()
}

// part takes a part of the report, and after the last one has the whole recorded.
func (f *face) part(line string) {
	if line == "back" {
		f.report = nil
		f.say("No deviation was recorded.")
		f.again()
		return
	}
	if err := engine.CheckPart(len(f.report), line); err != nil {
		f.say("Refused: " + err.Error())
		f.asksPart()
		return
	}
	if f.report = append(f.report, line); len(f.report) < len(text.ReportNames) {
		f.asksPart()
		return
	}
	f.recorded = f.room.Remark(engine.ReportOf([4]string(f.report)))
	f.report = nil
	if f.control != nil {
		f.control.Wake()
	}
}

// became says what became of a report.
func (f *face) became(err error) {
	f.recorded = nil
	if err != nil {
		f.say("Refused: " + err.Error())
	} else {
		f.say("The deviation is recorded.")
	}
	f.again()
}
