package render

import (
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Timeline is a ceremony's runs, and in each the steps that it was at.
type Timeline struct {
	Title string // for those who do not see the picture
	Runs  []Run
	Steps []string
	Bars  []Bar
}

// Run is one run of the program, from its first line to its last.
type Run struct{ From, To time.Time }

// Bar is the time that a run spent at a step.
type Bar struct {
	Run, Step int
	From, To  time.Time
	Work      Work
}

// Work is what a step did.
type Work int

// The kinds of work; a bar has the highest.
const (
	Looks    Work = iota // the program read
	People               // people answered or signed
	Acts                 // something was changed
	Deviated             // people continued although something was not as expected
	Failure              // the step failed
)

// workOf is the work of a line.
func workOf(k transcript.Kind) Work {
	switch k {
	case transcript.Begun, transcript.Done:
		return Acts
	case transcript.Answered, transcript.Asked, transcript.Plan, transcript.Signed, transcript.Gathered:
		return People
	case transcript.Deviation:
		return Deviated
	case transcript.Failed:
		return Failure
	}
	return Looks
}

// mostSteps bounds a picture: a log that breaks rules may have any number.
const mostSteps = 40

// timelineOf is nil where a log has nothing to draw.
func timelineOf(r transcript.Report) *Timeline {
	if len(r.Events) == 0 {
		return nil
	}
	t := &Timeline{Title: "Timeline of the ceremony: the steps from top to bottom, the time from left to right"}
	steps := map[string]int{}
	last := r.Events[0].Clock()
	for _, e := range r.Events {
		at := e.Clock()
		if at.Before(last) { // a clock that went back would draw to the left
			at = last
		}
		last = at
		if e.Kind == transcript.Opened || e.Kind == transcript.Resumed {
			t.Runs = append(t.Runs, Run{at, at})
		}
		if len(t.Runs) == 0 {
			continue
		}
		run := len(t.Runs) - 1
		t.Runs[run].To = at
		if e.Step == "" || e.Kind == transcript.Waiting {
			continue
		}
		i, ok := steps[e.Step]
		if !ok && len(t.Steps) == mostSteps {
			continue
		}
		if !ok {
			i = len(t.Steps)
			steps[e.Step] = i
			t.Steps = append(t.Steps, printable.Line(e.Step))
		}
		t.bar(run, i, at, workOf(e.Kind))
	}
	return t
}

// bar adds a line to the bar of a step in a run.
func (t *Timeline) bar(run, step int, at time.Time, w Work) {
	for i := len(t.Bars) - 1; i >= 0 && t.Bars[i].Run == run; i-- {
		if b := &t.Bars[i]; b.Step == step {
			b.To, b.Work = at, max(b.Work, w)
			return
		}
	}
	t.Bars = append(t.Bars, Bar{run, step, at, at, w})
}
