package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
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
		if i+1 < len(given) { // after the last one comes another page
			e.show(func(v *View) { v.Details = answered(s.Ask.Fields[:i+1], given) })
		}
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

// question asks until an answer passes its check.
func (e *engine) question(ctx context.Context, s Step, f Field) (Facts, error) {
	q, example := Question{Field: f}, f.Example
	if f.Propose != nil {
		q.Value = f.Propose(e.site)
		example = cmp.Or(q.Value, example)
	}
	for {
		answer, err := e.room.Ask(ctx, q)
		if err != nil {
			var missing *MissingAnswers
			if errors.As(err, &missing) {
				missing.Step = s.Name
			}
			return nil, err
		}
		facts, err := f.accept(e.site, strings.TrimSpace(answer))
		if err == nil {
			return facts, nil
		}
		q.Value, q.Refused = answer, fmt.Errorf("%s: %w; example: %s", f.Name, err, example)
	}
}

// accept checks what holds for every answer, and what holds for this one.
func (f Field) accept(s *Site, answer string) (Facts, error) {
	if err := CheckText(answer); err != nil {
		return nil, err
	}
	return f.Check(s, answer)
}

// onlyDigits matches what may be a PIN that was typed too early.
var onlyDigits = regexp.MustCompile(`^[0-9]{4,}$`)

// CheckText refuses a text that says nothing, and one that may be a PIN: what people
// type freely becomes part of the transcript.
func CheckText(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("an answer is needed")
	case onlyDigits.MatchString(strings.Join(strings.Fields(text), "")):
		return errors.New("digits alone may be a PIN; add a word")
	}
	return nil
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
