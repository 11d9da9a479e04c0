package engine

import (
	"context"
	"errors"
	"time"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// compare asks about what changed since the log was begun, before anything is written. It
// returns the deviation that people decided on, if they continue with what the log has.
func (e *engine) compare(ctx context.Context) (Facts, error) {
	if e.voids() {
		if err := e.Void.Made(ctx, e.site, e.log.State); err != nil {
			return nil, err
		}
		return nil, e.expect(nil)
	}
	if e.Changed == nil || e.aborts {
		return nil, nil
	}
	for {
		err := e.Changed(e.site, e.log.State, e.room.Given)
		var d *DeviationError
		if !errors.As(err, &d) {
			return nil, err
		}
		e.steps = e.Steps(e.log.State.Opened())
		e.view = View{Kind: e.Kind, To: e.facts().Version(transcript.FactTo), Rehearsal: e.site.Mode == quorum.Rehearsal,
			Started: time.Now(), Log: Recent(e.log.State, e.log.Events)}
		e.enter(0)
		choice, chooseErr := e.choose(ctx, Failure{Step: d.What, Err: err, Deviation: d, Changed: true})
		switch {
		case chooseErr != nil:
			return nil, errors.Join(err, chooseErr)
		case choice.Decided != "":
			return Facts{transcript.FactWhat: d.What, transcript.FactExpected: printable.Text(d.Expected),
				transcript.FactSeen: printable.Text(d.Seen), transcript.FactDecided: printable.Text(choice.Decided),
				transcript.FactBy: e.standBehind(e.steps[0])}, nil
		case !choice.Retry:
			return nil, err
		}
	}
}
