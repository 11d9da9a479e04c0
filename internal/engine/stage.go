package engine

import (
	"fmt"
	"slices"
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
	ended, earlier, begun := map[string]string{}, map[string]bool{}, map[string]bool{}
	for i, e := range log {
		switch e.Kind {
		case transcript.Begun:
			begun[e.Step] = true
		case transcript.Resumed:
			for _, s := range steps {
				if s.again(begun, i > 0 && log[i-1].Kind == transcript.Waiting) {
					delete(ended, s.Name)
				}
				earlier[s.Name] = ended[s.Name] != ""
			}
		case transcript.Answered, transcript.Found, transcript.Gathered, transcript.Done, transcript.Roster,
			transcript.NextRoster:
			ended[e.Step] = clock(e)
		}
	}
	all := make([]Stage, 0, len(steps)+1)
	for _, s := range steps {
		all = append(all, Stage{Title: s.Title, At: ended[s.Name], Earlier: earlier[s.Name], Minutes: s.minutes()})
	}
	v := View{}
	v.Finals(aborted)
	return append(all, Stage{Title: v.Title, Minutes: finalMinutes})
}

// again reports whether a run that continues the ceremony does a step again that was done, with the acts that were
// begun by then. After a wait for people, their signatures stand.
func (s Step) again(begun map[string]bool, waited bool) bool {
	if s.Gather == nil {
		return s.EveryRun
	}
	return !waited && !slices.ContainsFunc(s.Gather.Acts, func(act string) bool { return begun[act] })
}

// stopped says that a run continues a ceremony, and where the one before stopped.
func stopped(steps []Step, found transcript.Events) string {
	for _, e := range slices.Backward(found) {
		if i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == e.Step }); i >= 0 {
			return fmt.Sprintf("This run continues the ceremony. The one before stopped at step %d of %d, %s, at %s.",
				i+1, len(steps)+1, steps[i].Title, clock(found[len(found)-1]))
		}
	}
	return ""
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
		run := 1
		p := Person{Name: m.Name, Here: attends(m.Name), Approves: m.May(mode.Namespace(quorum.Approve))}
		for _, e := range log {
			switch {
			case e.Kind == transcript.Resumed:
				run++
			case e.Kind == transcript.Signed && e.Facts[transcript.FactSigner] == m.Name:
				p.Signed = append(p.Signed, Signature{Step: strings.TrimSpace(printable.Line(e.Step)), At: clock(e), Run: run})
			}
		}
		for i := range p.Signed {
			if p.Signed[i].Run == run { // the run that is on
				p.Signed[i].Run = 0
			}
		}
		all = append(all, p)
	}
	return all
}
