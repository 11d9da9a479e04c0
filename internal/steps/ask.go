package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// ask asks question by question. Back goes to the question before, at the first one
// to the step before.
func (e *engine) ask(ctx context.Context, s Step) error {
	given := make([]Facts, len(s.Ask.Fields))
	for i := 0; i < len(given); i++ {
		facts, err := e.question(ctx, s, s.Ask.Fields[i])
		if errors.Is(err, ErrBack) && i > 0 {
			i -= 2
			continue
		}
		if err != nil {
			return err
		}
		given[i] = facts
		e.show(func(v *View) { v.Details = answered(s.Ask.Fields[:i+1], given) })
	}
	all := Facts{}
	for _, facts := range given {
		maps.Copy(all, facts)
	}
	if d, err := toldDeviation(all[factDiffered]); err == nil && !e.site.told(d) {
		if err := e.deviate(ctx, s.Name, d); err != nil {
			return err
		}
	}
	return e.end(ctx, kindOf(s, transcript.Answered), s.Name, all)
}

// question goes on asking until the answer passes its check.
func (e *engine) question(ctx context.Context, s Step, f Field) (Facts, error) {
	note := ""
	if f.Passable && e.site.Mode == quorum.Rehearsal {
		f.Help += " (a rehearsal: Enter alone passes)"
	}
	for {
		answers, err := e.room.Ask(ctx, Form{[]Field{f}}, note)
		if err != nil {
			var missing *MissingAnswers
			if errors.As(err, &missing) {
				missing.Step = s.Name
			}
			return nil, err
		}
		facts, err := f.Check(e.site, strings.TrimSpace(answers[f.Name]))
		if err == nil {
			return facts, nil
		}
		err = fmt.Errorf("%s: %w", f.Name, err)
		if note != "" && note == err.Error() {
			return nil, fmt.Errorf("%w: %w", err, ErrAnswer) // the same again: nobody is there
		}
		note = err.Error()
	}
}

// answered are the answers so far, for the page.
func answered(fields []Field, given []Facts) (details []Detail) {
	for i, f := range fields {
		if answer, ok := given[i][f.Name]; ok {
			details = append(details, Detail{f.Name, printable.Text(answer)})
		}
	}
	return details
}
