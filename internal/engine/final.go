package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// AnswerVerdict and a person's name is the answer with the verdict that the person will sign, and
// AnswerWords and the name that with the words beside it.
const (
	AnswerVerdict = "verdict."
	AnswerWords   = "words."
)

// Words implements signing.Paper: the verdicts. One that was written into the store before an
// interruption, and not signed, stands; else the one that a file of answers has of a person comes first.
func (f *finals) Words(m quorum.Member) (words []string) {
	if there, ok := f.standing(m); ok {
		return []string{string(there.Verdict)}
	}
	for _, v := range transcript.Verdicts {
		words = append(words, string(v))
	}
	given := f.room.Given(AnswerVerdict + m.Name)
	if i := slices.Index(words, given); i > 0 {
		words = slices.Insert(slices.Delete(words, i, i+1), 0, given)
	}
	return words
}

// standing is the final of a person that is in the store, without its signature.
func (f *finals) standing(m quorum.Member) (transcript.Final, bool) {
	final, err := transcript.FinalOf(f.core, m, f.stated[m.Name])
	return final, err == nil
}

func (f *finals) text(m quorum.Member, said transcript.Final) []byte {
	return transcript.FinalStatement(f.core, m, said)
}

// Statement implements signing.Paper. Beside any verdict but followed the person says more.
func (f *finals) Statement(ctx context.Context, m quorum.Member, word string) ([]byte, error) {
	if there, ok := f.standing(m); ok {
		return f.text(m, there), nil
	}
	said := transcript.Final{Verdict: transcript.Verdict(word)}
	if said.Verdict == transcript.Followed {
		return f.text(m, said), nil
	}
	facts, err := f.question(ctx, Step{Name: "finals"}, Question{Field: FinalWords(m.Name, said.Verdict)})
	missing := (*MissingAnswers)(nil)
	switch {
	case errors.Is(err, ErrBack):
		return nil, nil
	case errors.As(err, &missing) && said.Verdict == transcript.Disagree: // nobody must be kept from it
	case err != nil:
		return nil, err
	}
	said.Words = facts[AnswerWords+m.Name]
	return f.text(m, said), nil
}

// FinalWords asks a person for what stands beside a verdict.
func FinalWords(name string, v transcript.Verdict) Field {
	f := Field{Name: AnswerWords + name, Question: name + ": what deviated from the steps?",
		Help: "in your own words, at most 240 characters; you sign them", Example: "the wall clock stood still",
		Check: func(_ *Site, answer string) (Facts, error) {
			words, err := transcript.WordsOf(answer)
			return Facts{AnswerWords + name: words}, err
		}}
	if v == transcript.Disagree {
		f.Question, f.Example = name+": why do you disagree?", "I saw another page"
	}
	return f
}

// CheckWords refuses what nobody may sign as own words.
func CheckWords(words string) error {
	if err := CheckText(words); err != nil {
		return err
	}
	_, err := transcript.WordsOf(words)
	return err
}

// Lies implements signing.Paper.
func (f *finals) Lies(name, word string) string {
	if word == "" {
		return f.File(name)
	}
	return fmt.Sprintf("final.%s.%s.txt", name, word)
}

// Laid implements signing.Paper: without a verdict in the answers, one of each. Nobody can say for a
// person what deviated, so there is no such statement without the words, which the answers have, or
// which the person typed for the one that lies there.
func (f *finals) Laid(m quorum.Member, word string, lying []byte) []byte {
	if there, ok := f.standing(m); ok {
		return f.text(m, there)
	}
	if given := f.room.Given(AnswerVerdict + m.Name); given != "" && given != word {
		return nil
	}
	said := f.given(m, transcript.Verdict(word))
	if old, err := transcript.FinalOf(f.core, m, lying); err == nil && old.Verdict == said.Verdict && said.Words == "" {
		said = old
	}
	if said.Verdict == transcript.Deviations && said.Words == "" {
		return nil
	}
	return f.text(m, said)
}

// given is a verdict with the words that the answers have of a person.
func (f *finals) given(m quorum.Member, v transcript.Verdict) transcript.Final {
	said := transcript.Final{Verdict: v}
	given := f.room.Given(AnswerWords + m.Name)
	if v != transcript.Followed && CheckWords(given) == nil {
		said.Words, _ = transcript.WordsOf(given)
	}
	return said
}

// Brought implements signing.Paper. The words are what the person signed, whatever the answers have now.
// An older program asked for none, and wrote any verdict into one file.
func (f *finals) Brought(m quorum.Member, word string, lying []byte) (texts [][]byte) {
	there, stands := f.standing(m)
	add := func(said transcript.Final) {
		wordless := word != "" && said.Verdict == transcript.Deviations && said.Words == ""
		text := f.text(m, said)
		known := slices.ContainsFunc(texts, func(t []byte) bool { return bytes.Equal(t, text) })
		if stands && said == there || !stands && !wordless && !known {
			texts = append(texts, text)
		}
	}
	if word == "" {
		for _, v := range transcript.Verdicts {
			add(transcript.Final{Verdict: v})
		}
		return texts
	}
	v := transcript.Verdict(word)
	if said, err := transcript.FinalOf(f.core, m, lying); err == nil && said.Verdict == v {
		add(said)
	}
	add(f.given(m, v))
	add(transcript.Final{Verdict: v})
	return texts
}

var _ signing.Paper = (*finals)(nil)
