package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/history"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/store"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// close writes the last line and final.txt, has people sign the end, and shows it.
func (e *engine) close(ctx context.Context) error {
	core, err := e.core(ctx)
	if err != nil {
		return err
	}
	f := &finals{engine: e, core: core, stated: map[string][]byte{}}
	e.show(func(v *View) {
		v.Step, v.Title, v.Why = "finals", "Sign the end", "State whether the ceremony followed its script."
		if e.log.State.Outcome == transcript.OutcomeAborted {
			v.Title = "Sign the abort"
		}
		v.N, v.Of = len(e.steps)+1, len(e.steps)+1
		v.Details, v.Probe, v.Fleet, v.Progress, v.Waiting = nil, nil, nil, nil, ""
	})
	c, err := f.gather(ctx)
	if err != nil {
		return err
	}
	_ = e.clearSigning() // what people carried away is theirs
	e.show(func(v *View) { v.Step, v.Title, v.Why, v.Ending = "", "", "", e.ending(core, c) })
	return f.agreed(c)
}

// core closes the log, in the store too, and writes final.txt.
func (e *engine) core(ctx context.Context) ([]byte, error) {
	if err := e.done(); err != nil {
		return nil, err
	}
	if e.log.State.Outcome == transcript.OutcomeDone && e.log.Copied {
		if err := e.lookAgain(ctx); err != nil {
			return nil, err
		}
	}
	if e.log.State.Outcome == "" {
		if _, err := e.append(ctx, transcript.Closed, "", e.closing()); err != nil {
			return nil, err
		}
	}
	if err := e.log.Believe(); err != nil {
		return nil, err
	}
	core, err := e.log.State.Core()
	if err != nil {
		return nil, err
	}
	closed := store.Ceremony{Seq: e.site.Seq, Outcome: e.log.State.Outcome, Head: e.log.Head(),
		Final: transcript.Digest(core)}
	if err := e.site.Store.CloseCeremony(ctx, closed); err != nil {
		return nil, err
	}
	return core, e.log.Final(ctx, transcript.CoreFile, core)
}

// done refuses an end that says done before every act of the kind is: one of ours, and one
// that somebody wrote into the store.
func (e *engine) done() error {
	lacks := strings.Join(e.log.State.Lacks(), ", ")
	switch outcome := e.log.State.Outcome; {
	case lacks == "" || outcome == transcript.OutcomeAborted || outcome == "" && e.aborts:
		return nil
	case outcome == "":
		return fmt.Errorf("end of %s: not done: %s: %w", e.Kind, lacks, ErrUndone)
	}
	return fmt.Errorf("ceremony %d is closed as done, but is not: %s: %w", e.site.Seq, lacks, history.ErrHistory)
}

// ending is the last page.
func (e *engine) ending(core []byte, c *signing.Collector) *Ending {
	end := &Ending{Bundle: e.log.Dir, Digest: transcript.Digest(core), Space: e.site.Mode.Namespace(c.Request.Purpose),
		Summary: append(e.summary(), deviated(len(e.site.Deviations)))}
	for _, name := range c.Names() {
		end.Signed = append(end.Signed, fmt.Sprintf("%s (%s)", name, c.Signed[name]))
		if end.Signer == "" {
			end.Signer = name
		}
	}
	return end
}

// summary says what the ceremony did.
func (e *engine) summary() []string {
	if e.log.State.Outcome == transcript.OutcomeAborted {
		closed := e.log.State.Last().Facts
		return []string{
			"Aborted. Done before: " + closed[transcript.FactDone] + ". Begun and not done: " +
				closed[transcript.FactHalfDone] + ".",
			"Next: run kekceremony status.",
		}
	}
	return e.Summary(e.facts())
}

// deviated says how many deviations there were.
func deviated(n int) string {
	if n == 0 {
		return "No deviations."
	}
	return fmt.Sprintf("Deviations: %d, each in the transcript.", n)
}

// gather ends when everybody who attended has signed, or M have and no more is wanted.
func (f *finals) gather(ctx context.Context) (*signing.Collector, error) {
	c := f.collector(f, f.shown(), f.site.Roster)
	c.Closed = f.log.State.Last().Clock()
	if err := f.kept(ctx, c); err != nil {
		return c, err
	}
	err := c.Collect(ctx)
	switch {
	case ctx.Err() != nil:
		return c, fmt.Errorf("finals: %w", ErrInterrupted)
	case errors.Is(err, ErrLater) && c.Have() >= c.Request.Need:
		return c, nil
	case errors.Is(err, ErrLater):
		return c, c.Later("finals")
	}
	return c, err
}

// agreed demands that M people say the script was followed, if with deviations.
func (f *finals) agreed(c *signing.Collector) error {
	n := 0
	for _, m := range f.site.Roster.Members {
		if verdict := c.Signed[m.Name]; verdict != "" && verdict != string(transcript.Disagree) && f.Counts(m) {
			n++
		}
	}
	if n < c.Request.Need {
		return fmt.Errorf("finals: %d of %d agree: %w", n, c.Request.Need, ErrDisagreed)
	}
	return nil
}

// kept finds the finals that an earlier run already has in the store.
func (f *finals) kept(ctx context.Context, c *signing.Collector) error {
	_, files, err := history.Fence{Log: f.site.Store, Seq: f.site.Seq}.State(ctx)
	if err != nil {
		return err
	}
	verdicts, err := f.log.State.Finals(files)
	if err != nil {
		return fmt.Errorf("%w: %w", history.ErrHistory, err)
	}
	for name, verdict := range verdicts {
		c.Signed[name] = string(verdict)
	}
	for _, m := range f.site.Roster.Members {
		text := files[transcript.FinalFile(m.Name)]
		if text == nil {
			continue
		}
		if _, err := transcript.VerdictOf(f.core, m, text); err != nil {
			return fmt.Errorf("%w: %w", history.ErrHistory, err)
		}
		f.stated[m.Name] = text
	}
	return nil
}
