package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// approved refuses an act whose approval is missing, short, or over another
// plan than today's.
func (e *engine) approved(ctx context.Context, act string) error {
	by, asked, err := e.signedFor(act)
	if err != nil {
		return err
	}
	now, err := e.derive(ctx, by.Gather)
	if err != nil {
		return err
	}
	if now.digest() != asked.Facts["sha256"] {
		return fmt.Errorf("step %s: approved %s, now %s: %w", act, asked.Facts["sha256"], now.digest(), ErrPlanMoved)
	}
	return nil
}

// signedFor finds the plan that covers an act, and demands that M have signed it.
func (e *engine) signedFor(act string) (by Step, asked transcript.Event, err error) {
	i := slices.IndexFunc(e.steps, func(s Step) bool { return s.Gather != nil && slices.Contains(s.Gather.Acts, act) })
	by = e.steps[i]
	asked, ok := e.log.Events.Last(transcript.Of(transcript.Plan, by.Name))
	if !ok || !slices.Contains(strings.Fields(asked.Facts["acts"]), act) {
		return by, asked, fmt.Errorf("step %s: %w", act, quorum.ErrQuorum)
	}
	var signed []quorum.Signed
	for _, ev := range e.log.Events[asked.Seq:] {
		if ev.Kind == transcript.Signed && ev.Step == by.Name {
			signed = append(signed, transcript.SignedOf(ev))
		}
	}
	if err := e.overThis(asked, signed); err != nil {
		return by, asked, fmt.Errorf("step %s: %w", act, err)
	}
	return by, asked, nil
}

// overThis checks that M people signed the statement of this very request.
func (e *engine) overThis(asked transcript.Event, signed []quorum.Signed) error {
	req, err := transcript.RequestOf(e.log.Events[0], asked)
	if err != nil {
		return err
	}
	for _, s := range signed {
		if m, ok := e.site.Roster.Member(s.Name); !ok || string(req.Statement(m)) != string(s.Statement) {
			return fmt.Errorf("statement of %s: not over this plan", printable.Text(s.Name))
		}
	}
	return e.site.Roster.CheckAll(req.Namespace(), signed)
}
