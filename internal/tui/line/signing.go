package line

import (
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/tui/room"
	"github.com/certautopilot/kekceremony/internal/tui/text"
)

// signing takes one person's word.
type signing struct {
	q   room.Consent
	who int      // index of the person whose word is awaited; -1: nobody's on this console
	old *sitting // the one before on this page
}

// newSigning continues with the person whose word was awaited, unless that is not needed any more.
func newSigning(q room.Consent, old *sitting) *signing {
	s := &signing{q: q, who: -1}
	if old != nil && text.Same(q.Q, old.r) && len(q.Q.Signers) == len(old.r.Signers) {
		s.old, s.who = old, old.who
	}
	if s.who < 0 || q.Q.Signers[s.who].Signed || q.Q.Signers[s.who].Offline != "" {
		s.who = text.Next(q.Q.Signers, -1)
	}
	return s
}

func (s *signing) page() []string {
	r := s.q.Q
	lines := []string{""}
	if r.Warning != "" {
		lines = append(lines, "Note: "+r.Warning)
	}
	for _, v := range text.Verdicts(r) {
		lines = append(lines, item(v[0], v[1]))
	}
	lines = append(lines, r.Done...)
	if len(r.Earlier) > 0 {
		lines = append(lines, text.Earlier)
	}
	for _, e := range r.Earlier {
		head, value := text.Detail(e.Name, e.Value)
		lines = append(lines, item(head, value))
	}
	for _, e := range text.Plan(r) {
		lines = append(lines, "  "+e[0], "               "+e[1])
	}
	if label, sum := text.Digest(r); label != "" {
		lines = append(lines, digest(label+" digest", sum)...)
	}
	return append(append(lines, signers(r, s.who)...), s.standing()...)
}

// again says who has signed since, and what is wanted now.
func (s *signing) again() (lines []string) {
	if s.q.Q.Note != "" {
		lines = append(lines, "Refused: "+s.q.Q.Note)
		s.q.Q.Note = "" // it is said once
	}
	for i, p := range s.q.Q.Signers {
		if s.old != nil && (p.Signed != s.old.r.Signers[i].Signed) {
			lines = append(lines, item(text.Mark(s.q.Q, p, false)+" ", text.Signer(s.q.Q, p)))
		}
	}
	return append(lines, s.standing()...)
}

// standing is what the next person is to type.
func (s *signing) standing() []string {
	r := s.q.Q
	lines := append(text.Decide(r), s.elsewhere()...)
	switch line := text.Standing(r); {
	case !r.Enough():
		lines = append(lines, line)
	case s.who < 0:
		lines = append(lines, line+" Press Enter to continue.")
	default:
		lines = append(lines, line+" Press Enter to continue, or sign as well.")
	}
	if s.who >= 0 {
		lines = append(lines, text.Wanted(r, r.Signers[s.who], "type offline to sign offline",
			"type offline and one word, of %s"))
	}
	return lines
}

// elsewhere says how to sign what was written for signing offline.
func (s *signing) elsewhere() []string {
	before, commands := text.Offline(s.q.Q)
	if len(commands) == 0 {
		return nil
	}
	lines := []string{before, "  " + s.q.Q.Dir}
	for _, c := range commands {
		lines = append(lines, c[0]+":")
		for _, part := range text.Command(c[1], maxWidth-2) {
			lines = append(lines, "  "+part)
		}
	}
	return lines
}

func (s *signing) answers(line string) bool {
	return s.who >= 0 && slices.Contains(s.q.Q.Signers[s.who].Words, line) || strings.HasPrefix(line, offline)
}

// offline before a verdict has the statement written that says it.
const offline = "offline "

func (s *signing) words() []word {
	compare := "read the digest aloud, in words, and say whether it matches"
	if aloudOf(s.q.Q) == nil {
		compare = ""
	}
	whole := "say the whole plan: the text that its digest is of"
	if s.q.Q.Text == "" {
		whole = ""
	}
	return []word{
		{"next", "ask the next person", func(f *face) {
			s.who = text.Other(s.q.Q.Signers, s.who)
			f.again()
		}},
		{"compare", compare, func(f *face) { f.compare(s.q.Q) }},
		{"plan", whole, func(f *face) { f.whole(s.q.Q) }},
		{"offline", "write the person's statement, for signing offline", func(f *face) { f.take(s, offline) }},
		{"later", "end this run, after a question; sign later", func(f *face) {
			question, says := text.Later(f.page.view, s.q.Q)
			f.say(says...)
			f.confirm(question, func() { f.answered(s.later) })
		}},
	}
}

// whole says the plan as it is signed.
func (f *face) whole(r engine.Request) {
	f.say(text.WholePlan)
	if r.Text == "" {
		f.say("No plan is signed here.")
	}
	for _, l := range text.Whole(r) {
		f.say(item("  "+l[0], l[1]))
	}
	f.again()
}

func (s *signing) later() { s.q.Answer(engine.Consent{}, engine.ErrLater) }

func (s *signing) take(line string) ([]string, bool) {
	word, elsewhere := strings.CutPrefix(line, offline)
	switch {
	case s.who < 0 && (elsewhere || !s.q.Q.Enough()):
		return []string{"Refused: nobody is asked on this console"}, false
	case line == "" && s.q.Q.Enough(), s.who < 0:
		s.q.Answer(engine.Consent{}, engine.ErrEnough)
		return nil, true
	case line == "":
		return []string{"Refused: Enter alone does not sign"}, false
	}
	s.q.Answer(engine.Consent{Signer: s.q.Q.Signers[s.who].Name, Word: word, Offline: elsewhere}, nil)
	return nil, true
}
