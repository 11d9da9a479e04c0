package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// enter shows the page of step i.
func (e *engine) enter(i int) {
	s := e.steps[i]
	e.show(func(v *View) {
		v.Step, v.Title, v.Why, v.N, v.Of = s.Name, s.Title, s.Why, i+1, len(e.steps)+1 // the finals are the last
		v.clear()
	})
}

func (e *engine) show(change func(*View)) {
	change(&e.view)
	switch {
	case e.view.Waiting == "":
		e.view.Since = ""
	case e.view.Since == "":
		e.view.Since = time.Now().UTC().Format("15:04:05 UTC")
	}
	e.view.Steps = Stages(e.steps, e.log.Events, e.aborts)
	e.view.Attended, e.view.Earlier = e.attendance()
	e.view.Quorum, e.view.Everybody, e.view.Aborts = e.quorum(), e.needsEverybody(), e.aborts
	e.view.People = People(e.site.Roster, e.site.Mode, e.log.Events, e.present)
	e.view.Reported, e.view.Command = len(e.log.State.Deviations), e.continuing()
	e.room.Show(e.view)
}

// continuing is the command that continues the ceremony after this run.
func (e *engine) continuing() string {
	if e.aborts {
		return e.typed("kekceremony abort")
	}
	return e.typed(e.Command(e.log.State.Opened()))
}

// attendance is who attends, and whether that is from an earlier run.
func (e *engine) attendance() (names string, earlier bool) {
	names = e.log.State.Attendance()
	return names, names != "" && !slices.ContainsFunc(e.log.Events[e.found:], func(ev transcript.Event) bool {
		return ev.Kind == transcript.Gathered && ev.Facts[transcript.FactAttended] != ""
	})
}

// present reports whether somebody attends this run.
func (e *engine) present(name string) bool {
	return e.view.Attended != "" && !e.view.Earlier && e.log.State.Attends(name)
}

// needsEverybody reports whether the whole roster must attend.
func (e *engine) needsEverybody() bool {
	return slices.ContainsFunc(e.steps, func(s Step) bool {
		return s.Gather != nil && s.Gather.Purpose == quorum.Attend && s.Gather.All
	})
}

// quorum is how many of how many must approve; empty before the roster is known.
func (e *engine) quorum() string {
	n := len(e.site.Roster.Who(e.site.Mode.Namespace(quorum.Approve)))
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d", e.site.Roster.M, n)
}

// needs says that something needs the quorum.
func (e *engine) needs(what string) string {
	return fmt.Sprintf("quorum for %s: %s", what, e.quorum())
}
