package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/certautopilot/kekceremony/internal/transcript"
	"github.com/certautopilot/kekceremony/internal/transcript/render"
)

// end writes the event that ends a step.
func (e *engine) end(ctx context.Context, kind transcript.Kind, step string, facts Facts) error {
	_, err := e.append(ctx, kind, step, facts)
	return err
}

// append is the only way anything gets into the log.
func (e *engine) append(ctx context.Context, kind transcript.Kind, step string, facts Facts) (transcript.Event, error) {
	// What was done is written down even while the run is being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	ev, err := e.log.Append(ctx, kind, step, facts)
	if err == nil {
		e.follow()
		e.show(func(v *View) { v.Log = Recent(e.log.State, e.log.Events) })
	}
	return ev, err
}

// Recent are the last events in words, for the screen.
func Recent(state transcript.State, all transcript.Events) (lines []string) {
	const last = 40
	r := transcript.Report{State: state, Events: all}
	for i := max(0, len(all)-last); i < len(all); i++ {
		lines = append(lines, fmt.Sprintf("%4d  %s  %s", all[i].Seq, clock(all[i]), render.Sentence(r, i)))
	}
	return lines
}

// follow takes over from the log what steps know of a site.
func (e *engine) follow() {
	s := e.log.State
	e.site.Roster, e.site.Next, e.site.Deviations, e.site.Recorded = s.Roster, s.Next, nil, nil
	for _, d := range s.Deviations {
		e.site.Recorded = append(e.site.Recorded, d.Facts)
		if s.Outcome == "" && e.log.Copied && d.Seq < e.found { // nobody knows who decided on it
			continue
		}
		e.site.Deviations = append(e.site.Deviations, d.Facts)
	}
}

func clock(e transcript.Event) string {
	t, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		return e.Time
	}
	return t.Format("15:04:05")
}

// deviate writes down what is not as expected, and that it continues all the same.
func (e *engine) deviate(ctx context.Context, step string, facts Facts) error {
	_, err := e.append(ctx, transcript.Deviation, step, facts)
	return err
}
