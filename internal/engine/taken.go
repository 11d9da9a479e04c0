package engine

import (
	"context"

	"github.com/certautopilot/kekceremony/internal/transcript"
)

// taken writes a remark down at once.
func (e *engine) taken(ctx context.Context) func(Remark) error {
	return func(r Remark) error {
		switch r := r.(type) {
		case Report:
			return e.reported(ctx, r)
		case Comparison:
			return e.compared(ctx, r)
		}
		return nil
	}
}

// reported writes a deviation down. No plan depends on it, so an approval stays good.
func (e *engine) reported(ctx context.Context, r Report) error {
	facts, err := r.Facts()
	switch {
	case err != nil:
		return err
	case e.log.State.Outcome != "":
		return ErrLate
	case e.site.reported(facts):
		return nil
	}
	if err := e.deviate(ctx, e.view.Step, facts); err != nil || e.asking == nil {
		return err
	}
	e.show(e.asking) // the page may list what is recorded
	return nil
}

// compared writes down what a person says of a digest. When the log is closed this run alone knows it.
func (e *engine) compared(ctx context.Context, c Comparison) error {
	if e.log.State.Outcome != "" {
		e.comparisons = append(e.comparisons, c)
		return nil
	}
	_, err := e.append(ctx, transcript.Noted, e.view.Step, c.facts())
	return err
}
