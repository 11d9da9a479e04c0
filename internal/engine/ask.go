package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
)

// ask asks question by question. Back goes to the question before, at the first one
// to the step before.
func (e *engine) ask(ctx context.Context, s Step) error {
	given := make([]Facts, len(s.Ask.Fields))
	defer func() { e.asking = nil }()
	for i := 0; i < len(given); i++ {
		e.asking = func(v *View) {
			v.Details = answered(s.Ask.Fields[:i], given)
			if s.Ask.Shows != nil {
				v.Details = append(s.Ask.Shows(e.site), v.Details...)
			}
		}
		e.show(e.asking)
		first := i == 0 && len(e.asks) == 0
		facts, err := e.question(ctx, s, Question{Field: s.Ask.Fields[i], First: first})
		if errors.Is(err, ErrBack) && i > 0 {
			i -= 2
			continue
		}
		if err != nil {
			return err
		}
		given[i] = facts
	}
	all := Facts{}
	for _, facts := range given {
		maps.Copy(all, facts)
	}
	if s.Ask.Reports != nil {
		if d, ok := s.Ask.Reports(all); ok && !e.site.reported(d) {
			if err := e.deviate(ctx, s.Name, d); err != nil {
				return err
			}
		}
	}
	return e.end(ctx, s.ends(), s.Name, all)
}

// question asks until an answer passes its check. In the field stands what was answered
// before somebody went back, else what is proposed; after a refusal what was typed, unless
// it may be a PIN.
func (e *engine) question(ctx context.Context, s Step, q Question) (Facts, error) {
	f, proposed, pin := q.Field, "", ""
	if f.Propose != nil {
		proposed = f.Propose(e.site)
	}
	q.Value = cmp.Or(e.answers[f.Name], proposed)
	for {
		answer, err := e.room.Ask(ctx, q)
		if errors.Is(err, ErrBack) && CheckText(answer) == nil && (pin == "" || !strings.Contains(answer, pin)) {
			e.answers[f.Name] = answer // it stands in the field again when somebody comes back
		}
		if err != nil {
			var missing *MissingAnswers
			if errors.As(err, &missing) {
				missing.Step = s.Name
			}
			return nil, err
		}
		facts, err := f.accept(e.site, strings.TrimSpace(answer), pin)
		if err == nil {
			e.answers[f.Name] = answer
			return facts, nil
		}
		q.Value, q.Refused = answer, fmt.Errorf("%s: %w; example: %s", f.Name, err, cmp.Or(f.Example, proposed))
		if errors.Is(err, errPIN) {
			q.Value, pin = proposed, cmp.Or(pin, digits.FindString(answer))
		}
	}
}

// accept checks what holds for every answer, and what holds for this one. pin was typed
// here before: what holds it is refused again.
func (f Field) accept(s *Site, answer, pin string) (Facts, error) {
	if err := CheckText(answer); err != nil {
		return nil, err
	}
	if pin != "" && strings.Contains(answer, pin) {
		return nil, errPIN
	}
	return f.Check(s, answer)
}

// answered are the answers so far, for the page.
func answered(fields []Field, given []Facts) (details []Detail) {
	for i, f := range fields {
		if answer, ok := given[i][f.Name]; ok {
			details = append(details, Detail{f.Name, printable.Again(answer)})
		}
	}
	return details
}
