package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/term"
)

// Unattended is the room with nobody in it: answers come from a file, signatures
// from elsewhere. In a rehearsal the keys on this console sign by themselves.
type Unattended struct {
	Answers map[string]string
	Signs   bool // a rehearsal's keys sign
	Report  func(string)
	step    string
	waiting string
	warning string
	told    bool // what was answered in earlier runs
}

var _ Room = (*Unattended)(nil)

// Gaps lists the questions that the answers leave open.
func Gaps(fields []Field, answers map[string]string) (gaps []Field) {
	for _, f := range fields {
		if strings.TrimSpace(answers[f.Name]) == "" {
			gaps = append(gaps, f)
		}
	}
	return gaps
}

// Expect implements Room.
func (n *Unattended) Expect(kind string, fields []Field) error {
	if gaps := Gaps(fields, n.Answers); len(gaps) > 0 {
		return &MissingAnswers{Step: kind, Fields: gaps}
	}
	return nil
}

// Given implements Room.
func (n *Unattended) Given(question string) string { return n.Answers[question] }

// Alone implements Room.
func (n *Unattended) Alone() bool { return !n.Signs }

// Remarks implements Room: nobody is there who could make one.
func (n *Unattended) Remarks(func(Remark) error) {}

// Ask implements Room: there is the answer of the file, and no other. What people
// are offered is never taken.
func (n *Unattended) Ask(_ context.Context, q Question) (string, error) {
	if q.Refused != nil {
		return "", fmt.Errorf("%w: %w", q.Refused, ErrAnswer)
	}
	return n.Answers[q.Field.Name], n.Expect("", []Field{q.Field})
}

// Consent implements Room. An approval ends as soon as it has enough; attendance
// and finals take every key on this console.
func (n *Unattended) Consent(ctx context.Context, r Request) (Consent, error) {
	if ctx.Err() != nil {
		return Consent{}, ctx.Err()
	}
	if r.Note != "" {
		n.Report(r.Note)
	}
	if r.Warning != n.warning && r.Warning != "" {
		n.Report(r.Warning)
	}
	n.warning = r.Warning
	if len(r.Earlier) > 0 && !n.told {
		n.told = true
		n.Report("answered in an earlier run: " + sentence(r.Earlier))
	}
	for _, u := range r.Undecided {
		n.Report(u.String())
	}
	if len(r.Undecided) > 0 {
		return Consent{}, ErrLater
	}
	if r.Purpose == quorum.Approve && r.Have() >= r.Need {
		return Consent{}, ErrEnough
	}
	for _, s := range r.Signers {
		if n.Signs && r.Note == "" && s.Asked && s.Key != "" && !s.Signed {
			return Consent{Signer: s.Name, Word: s.Words[0]}, nil
		}
	}
	if r.Have() >= r.Need {
		return Consent{}, ErrEnough
	}
	return Consent{}, ErrLater
}

// sentence lists answers.
func sentence(said []signing.Said) string {
	var all []string
	for _, s := range said {
		all = append(all, s.Name+": "+printable.Text(s.Value))
	}
	return strings.Join(all, "; ")
}

// Lend implements Room.
func (n *Unattended) Lend(context.Context, func(*term.Terminal) error) error { return ErrNobody }

// Hold implements Room: nobody reads.
func (n *Unattended) Hold(context.Context) error { return nil }

// AnswerDeviation and what deviates is the answer with the reason to continue with it.
const AnswerDeviation = "deviation."

// Choose implements Room: nobody decides to try again. To continue with a deviation was
// decided by the person who wrote its reason among the answers.
func (n *Unattended) Choose(_ context.Context, f Failure) (Choice, error) {
	if f.Deviation == nil {
		return Choice{}, nil
	}
	if f.Refused != nil {
		return Choice{}, fmt.Errorf("%s%s: %w: %w", AnswerDeviation, f.Deviation.What, f.Refused, ErrAnswer)
	}
	return Choice{Decided: n.Answers[AnswerDeviation+f.Deviation.What]}, nil
}

// Show implements Room: a line per step, and one for what it waits for.
func (n *Unattended) Show(v View) {
	if v.Step != n.step && v.Step != "" {
		n.Report(fmt.Sprintf("step %d of %d: %s", v.N, v.Of, v.Title))
	}
	waiting := v.Waiting + v.Remedy
	if waiting != n.waiting && v.Waiting != "" {
		n.Report(strings.TrimSuffix(fmt.Sprintf("waiting: %s, since %s. %s", v.Waiting, v.Since, v.Remedy), ". "))
	}
	n.step, n.waiting = v.Step, waiting
}
