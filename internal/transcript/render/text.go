package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// lineWidth is that of plain text: a serial console shows 80 columns.
const lineWidth = 79

// Text tells a transcript as plain text: what the first page of the document has, then the story
// with its facts.
func Text(r transcript.Report, err error) string {
	d := Report(r, err)
	b := &page80{}
	b.para(printable.Shown(d.Title))
	if d.Notice != "" {
		b.para(d.Notice)
	}
	b.WriteString("\n")
	for _, p := range d.Lead {
		b.pair(p)
	}
	for _, p := range peopleOf(r) {
		b.pair(p)
	}
	if r.FinalSum != "" {
		b.pair(Pair{"final digest", groups(r.FinalSum)})
	}
	day := ""
	for _, p := range Story(r) {
		if now := p.At.UTC().Format(time.DateOnly); now != day {
			day = now
			fmt.Fprintf(b, "\n%s UTC\n", day)
		}
		b.passage(p)
	}
	return b.String()
}

// peopleOf says who signed the end, and how many deviations there are.
func peopleOf(r transcript.Report) (all []Pair) {
	for _, m := range r.Roster.Members {
		if said, ok := r.Finals[m.Name]; ok {
			all = append(all, Pair{m.Name, "signed the end: " + said.Shown()})
		} else if r.Attends(m.Name) {
			all = append(all, Pair{m.Name, "attended, and did not sign the end"})
		}
	}
	n := fmt.Sprint(len(r.Deviations))
	if n == "0" {
		n = "none"
		if len(otherVerdicts(r)) > 0 {
			n = "none was written down before the end"
		}
	}
	return append(all, Pair{"deviations", n})
}

// page80 is text in lines of at most lineWidth.
type page80 struct{ strings.Builder }

func (b *page80) passage(p Passage) {
	mark := "  "
	switch p.Mark {
	case Resume:
		b.WriteString("\n")
		mark = "> "
	case Deviates, Fails:
		mark = "! "
	}
	const head = len("15:04:05") + 2
	lines := fold(p.Text, lineWidth-head-2)
	fmt.Fprintf(b, "%s%s  %s\n", mark, p.At.UTC().Format(time.TimeOnly), lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(b, "%*s%s\n", head+2, "", line)
	}
	for _, f := range p.Facts {
		for i, line := range fold(f.Name+": "+f.Value, lineWidth-head-6) {
			if i > 0 {
				line = "  " + line
			}
			fmt.Fprintf(b, "%*s%s\n", head+4, "", line)
		}
	}
}

// pair sets a value beside its name.
func (b *page80) pair(p Pair) {
	const column = 14
	name := p.Name
	for _, line := range fold(p.Value, lineWidth-column) {
		fmt.Fprintf(b, "%-*s%s\n", column, name, line)
		name = ""
	}
}

func (b *page80) para(text string) {
	for _, line := range fold(text, lineWidth) {
		b.WriteString(line + "\n")
	}
}

// fold breaks a text between words, and a word only where it has no room in a line.
func fold(text string, width int) (lines []string) {
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := printable.Width(word)
		if used > 0 && used+1+n > width {
			lines, line, used = append(lines, line), "", 0
		}
		for ; n > width; n = printable.Width(word) {
			cut := printable.Fit(word, width)
			lines, word = append(lines, word[:cut]), word[cut:]
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}
