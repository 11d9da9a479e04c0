package replay

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// Page is what the room showed at one moment, with the question that was open, if one was.
type Page struct {
	At     time.Time
	Since  time.Duration // since the ceremony began
	View   engine.View
	Ask    *engine.Question
	Sign   *engine.Request
	Failed *engine.Failure
}

// Pages are those of a verified bundle, in order. c is the ceremony of its kind, or the zero one
// of a kind that this program does not know: then steps have no titles.
func Pages(r transcript.Report, c engine.Ceremony) []Page {
	if len(r.Events) == 0 {
		return nil
	}
	s := newStage(r, c)
	for i, e := range r.Events {
		s.event(i, e)
	}
	if r.Outcome != "" && r.FinalSum != "" {
		s.finals()
	}
	s.ending()
	return s.pages
}

// stage is the room as the log leaves it, line by line.
type stage struct {
	r     transcript.Report
	c     engine.Ceremony
	steps []engine.Step
	view  engine.View
	at    time.Time
	sign  engine.Request // of the step that gathers
	pages []Page
}

func newStage(r transcript.Report, c engine.Ceremony) *stage {
	o := r.Opened()
	s := &stage{r: r, c: c}
	if c.Steps != nil {
		s.steps = c.Steps(o)
	}
	if r.Void() && c.Void != nil {
		s.steps = append(s.steps, c.Void.Steps(r.State)...)
	}
	s.view = engine.View{Kind: printable.Line(o[transcript.FactKind]), Replay: true,
		Rehearsal: r.Mode() == quorum.Rehearsal, From: o.Version(transcript.FactFrom), To: o.Version(transcript.FactTo)}
	return s
}

// add keeps the room as it is now as a page.
func (s *stage) add(p Page) {
	p.At, p.Since, p.View = s.at, max(0, s.at.Sub(s.r.Events[0].Clock())), s.view
	s.pages = append(s.pages, p)
}

// enter opens the page of a step.
func (s *stage) enter(name string) {
	if s.view.Step == name {
		return
	}
	s.view.Step, s.view.Title, s.view.Why, s.view.N, s.view.Of = printable.Line(name), printable.Line(name), "", 0, 0
	s.clear()
	if i := slices.IndexFunc(s.steps, func(st engine.Step) bool { return st.Name == name }); i >= 0 {
		s.view.Title, s.view.Why, s.view.N, s.view.Of = s.steps[i].Title, s.steps[i].Why, i+1, len(s.steps)+1
	}
}

func (s *stage) clear() { s.view.Details, s.view.Probe, s.view.Waiting = nil, nil, "" }

// between is a page of no step.
func (s *stage) between(title, why string) {
	s.view.Step, s.view.N, s.view.Of = "", 0, 0
	s.view.Title, s.view.Why = title, why
	s.clear()
}

func (s *stage) event(i int, e transcript.Event) {
	s.at = e.Clock()
	log := s.r.Events[:i+1]
	s.view.Log = engine.Recent(s.r.State, log)
	s.view.Steps = engine.Stages(s.steps, log, s.r.Aborted())
	s.view.People = engine.People(s.r.Roster, s.r.Mode(), log, s.attends)
	if e.Kind == transcript.Deviation {
		s.view.Reported++
	}
	if e.Step != "" {
		s.enter(e.Step)
	}
	switch e.Kind {
	case transcript.Opened:
		s.between("A ceremony that was held", "This replays its transcript. Nothing is asked, signed or changed.")
		s.details(e, transcript.FactChain, transcript.FactMode, transcript.FactStore, transcript.FactTool)
	case transcript.Roster:
		s.view.Quorum = fmt.Sprintf("%d of %d", s.r.Roster.M, len(s.r.Roster.Who(s.r.Mode().Namespace(quorum.Approve))))
		s.details(e, transcript.FactRoster+"_sha256")
	case transcript.NextRoster:
		s.details(e, transcript.FactNextRoster+"_sha256")
	case transcript.Asked, transcript.Plan:
		s.asked(e)
		return
	case transcript.Signed:
		s.signed(e)
		return
	case transcript.Gathered:
		if names := e.Facts[transcript.FactAttended]; names != "" {
			s.view.Attended = printable.Line(names)
		}
		return
	case transcript.Answered:
		s.answered(e)
		return
	case transcript.Begun:
		s.clear()
	case transcript.Noted:
		s.noted(e)
	case transcript.Deviation:
		s.clear()
		s.details(e, transcript.FactWhat, transcript.FactExpected, transcript.FactSeen, transcript.FactDecided,
			transcript.FactBy)
	case transcript.Failed:
		s.add(Page{Failed: &engine.Failure{Step: e.Step, Err: errors.New(printable.Shown(e.Facts[transcript.FactError]))}})
		return
	case transcript.Waiting:
		s.clear()
		s.view.Waiting = "signatures of " + printable.Line(e.Facts[transcript.FactFor]) + "; this run ended here"
	case transcript.Resumed:
		s.between("Resumed", "Another run of the program continued the ceremony.")
	case transcript.Closed:
		s.between("Closed", "The log ends here: "+printable.Line(e.Facts[transcript.FactOutcome])+". People sign the end.")
	default: // found, done
		s.details(e)
	}
	s.add(Page{})
}

// details adds facts to the page: those named, or all.
func (s *stage) details(e transcript.Event, names ...string) {
	if names == nil {
		names = slices.Sorted(maps.Keys(e.Facts))
	}
	for _, name := range names {
		if v := e.Facts[name]; v != "" {
			s.view.Details = append(slices.Clip(s.view.Details),
				engine.Detail{Name: printable.Line(name), Value: v})
		}
	}
}

// answered shows question by question, each with its answer in the field.
func (s *stage) answered(e transcript.Event) {
	s.clear()
	rest := maps.Clone(e.Facts)
	i := slices.IndexFunc(s.steps, func(st engine.Step) bool { return st.Name == e.Step })
	if i >= 0 && s.steps[i].Ask != nil {
		for _, f := range s.steps[i].Ask.Fields {
			answer, ok := rest[f.Name]
			if !ok {
				continue
			}
			s.add(Page{Ask: &engine.Question{Field: f, Value: printable.Shown(answer)}})
			s.details(e, f.Name)
			delete(rest, f.Name)
		}
	}
	if len(rest) > 0 {
		s.details(transcript.Event{Facts: rest})
		s.add(Page{})
	}
}

// noted shows a line of the probe among those before, or what else was noted.
func (s *stage) noted(e transcript.Event) {
	f := e.Facts
	switch {
	case f["line"] != "":
		outcome := engine.Passed
		if f["outcome"] != string(engine.Passed) {
			outcome = engine.Failed
		}
		s.view.Probe = append(slices.Clip(s.view.Probe), engine.Verdict{Line: printable.Shown(f["line"]), Outcome: outcome,
			Detail: printable.Shown(f["detail"])})
	case f[transcript.FactInterrupted] != "":
		s.view.Waiting = "this run was interrupted: " + printable.Shown(f[transcript.FactInterrupted])
	default:
		s.details(e)
	}
}
