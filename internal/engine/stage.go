package engine

import (
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// finalMinutes is how long the finals take, as minutes of a step.
const finalMinutes = 3

// Stages are the steps of a ceremony and, as the last, its finals, with the times at which they
// ended by a log.
func Stages(steps []Step, log transcript.Events, aborted bool) []Stage {
	ended := map[string]string{}
	for _, e := range log {
		switch e.Kind {
		case transcript.Answered, transcript.Found, transcript.Gathered, transcript.Done, transcript.Roster,
			transcript.NextRoster:
			ended[e.Step] = clock(e)
		}
	}
	all := make([]Stage, 0, len(steps)+1)
	for _, s := range steps {
		all = append(all, Stage{s.Title, ended[s.Name], s.minutes()})
	}
	v := View{}
	v.Finals(aborted)
	return append(all, Stage{Title: v.Title, Minutes: finalMinutes})
}

// minutes is about how long a step takes, with four people who read what they sign.
func (s Step) minutes() int {
	switch {
	case s.Ask != nil:
		return max(1, len(s.Ask.Fields))
	case s.Gather != nil && s.Gather.Purpose == quorum.Approve:
		return 10
	case s.Gather != nil:
		return 5
	}
	return 2
}

// People are those of a roster, with what each has signed by a log.
func People(r quorum.Roster, mode quorum.Mode, log transcript.Events, attends func(name string) bool) (all []Person) {
	for _, m := range r.Members {
		p := Person{Name: m.Name, Here: attends(m.Name), Approves: m.May(mode.Namespace(quorum.Approve))}
		for _, e := range log {
			if e.Kind == transcript.Signed && e.Facts[transcript.FactSigner] == m.Name {
				p.Signed = append(p.Signed, Signature{strings.TrimSpace(printable.Line(e.Step)), clock(e)})
			}
		}
		all = append(all, p)
	}
	return all
}
