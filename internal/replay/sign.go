package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/engine"
	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
	"github.com/certautopilot/kekceremony/internal/signing"
	"github.com/certautopilot/kekceremony/internal/transcript"
)

// asked opens the page on which people sign.
func (s *stage) asked(e transcript.Event) {
	s.clear()
	req, err := transcript.RequestOf(s.r.Events[0], e)
	if err != nil {
		return // a verified log has no such line
	}
	roster := s.r.Roster
	s.sign = engine.Request{Purpose: req.Purpose, Need: s.r.Roster.M, Rule: "quorum: " + s.view.Quorum,
		Digest: e.Facts[transcript.FactSHA256], Plan: effects(e.Facts[transcript.FactPlan]),
		Text: e.Facts[transcript.FactPlan]}
	if last := e.Facts[transcript.FactFinal]; req.Purpose == quorum.Attend && last != transcript.NoDigest {
		s.sign.Last = last
	}
	may := func(m quorum.Member) bool { return m.May(req.Namespace()) }
	switch req.Purpose {
	case quorum.Join:
		roster = s.r.Next
		joining := roster.Joining(s.r.Roster)
		s.sign.Need, s.sign.Rule = len(joining), "each new key needs a proof"
		may = func(m quorum.Member) bool {
			return slices.ContainsFunc(joining, func(j quorum.Member) bool { return j.Name == m.Name })
		}
	case quorum.Approve:
		may = func(m quorum.Member) bool { return m.May(req.Namespace()) && s.attends(m.Name) }
	}
	s.signers(roster, func(m quorum.Member) (words []string, asked, counts bool) {
		approves := m.May(s.r.Mode().Namespace(quorum.Approve))
		if req.Purpose == quorum.Approve {
			o := s.r.Opened()
			return []string{cmp.Or(o[transcript.FactTo], o[transcript.FactKind])}, may(m), true
		}
		return []string{m.Name}, may(m), approves || req.Purpose != quorum.Attend
	})
	if slices.ContainsFunc(s.steps, func(st engine.Step) bool {
		return st.Name == e.Step && st.Gather != nil && st.Gather.All && req.Purpose == quorum.Attend
	}) {
		s.sign.Need, s.sign.Rule = len(roster.Members), "everybody on the roster"
		for i := range s.sign.Signers {
			s.sign.Signers[i].Counts = true
		}
	}
	s.signing()
}

func (s *stage) attends(name string) bool {
	return slices.Contains(strings.Split(s.view.Attended, ", "), name)
}

// signers are the people of a request; about says what each is to type.
func (s *stage) signers(r quorum.Roster, about func(quorum.Member) (words []string, asked, counts bool)) {
	for _, m := range r.Members {
		one := signing.SignerOf(m, s.r.Mode().Namespace(s.sign.Purpose))
		one.Key = "somewhere"
		one.Words, one.Asked, one.Counts = about(m)
		s.sign.Signers = append(s.sign.Signers, one)
	}
}

// signing keeps the page with who has signed so far.
func (s *stage) signing() {
	req := s.sign
	req.Signers = slices.Clone(req.Signers)
	s.add(Page{Sign: &req})
}

// signed marks a person.
func (s *stage) signed(e transcript.Event) {
	s.mark(e.Facts[transcript.FactSigner], s.at.UTC().Format("15:04:05"))
}

func (s *stage) mark(name, at string) {
	for i := range s.sign.Signers {
		if one := &s.sign.Signers[i]; one.Name == name {
			one.Signed, one.At = true, at
			s.signing()
			return
		}
	}
}

// finals are the signatures of the end, of which no line says when.
func (s *stage) finals() {
	s.view.Finals(s.r.Aborted())
	s.view.Aborts = s.r.Aborted()
	s.clear()
	s.sign = engine.Request{Purpose: quorum.Final, Need: s.r.Roster.M, Rule: "quorum: " + s.view.Quorum,
		Digest: s.r.FinalSum, Done: append(s.summary(), engine.Deviated(s.r.Deviations)...)}
	s.signers(s.r.Roster, func(m quorum.Member) (words []string, asked, counts bool) {
		for _, v := range transcript.Verdicts {
			words = append(words, string(v))
		}
		return words, s.attends(m.Name), m.May(s.r.Mode().Namespace(quorum.Approve))
	})
	s.signing()
	for _, m := range s.r.Roster.Members {
		if said, ok := s.r.Finals[m.Name]; ok {
			s.mark(m.Name, string(said.Verdict))
		}
	}
}

// summary is what the ceremony did.
func (s *stage) summary() []string {
	switch {
	case s.r.Outcome == "":
		return []string{"The log is not closed: the ceremony is unfinished."}
	case s.r.Outcome == transcript.OutcomeDone && s.c.Summary != nil:
		return slices.Clip(s.c.Summary(s.r.Facts, s.r.Events))
	}
	return []string{"The ceremony ended as " + printable.Line(s.r.Outcome) + "."}
}

// ending is the last page.
func (s *stage) ending() {
	end := &engine.Ending{Bundle: printable.Line(s.r.Bundle.Name), Digest: s.r.FinalSum,
		Space: s.r.Mode().Namespace(quorum.Final)}
	end.Next = []engine.Next{engine.CheckOf(end.Bundle)}
	end.Summary = append(s.summary(), engine.Said(len(s.r.Deviations), s.r.Finals)...)
	if s.r.Outcome != "" && !s.r.Void() && s.r.Signed() >= s.r.Roster.M {
		end.Summary = append(end.Summary, engine.Unagreed(s.r.Agree(), s.r.Roster.M)...)
	}
	for _, m := range s.r.Roster.Members {
		if said, ok := s.r.Finals[m.Name]; ok {
			end.Signed = append(end.Signed, fmt.Sprintf("%s (%s)", m.Name, said.Verdict))
			end.Signer = cmp.Or(end.Signer, m.Name)
		}
	}
	s.view.Ending = end
	s.add(Page{})
}

// effects are what a plan's text says it changes.
func effects(plan string) (all []engine.Effect) {
	for line := range strings.Lines(plan) {
		text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "effect: ")
		_, text, numbered := strings.Cut(text, " ")
		if !ok || !numbered {
			continue
		}
		verb, object, _ := strings.Cut(text, ": ")
		object, undo, _ := strings.Cut(object, "; undo: ")
		all = append(all, engine.Effect{Verb: printable.Shown(verb), Object: printable.Shown(object),
			Undo: printable.Shown(undo)})
	}
	return all
}
