package transcript

import (
	"slices"
	"strings"

	"github.com/certautopilot/kekceremony/internal/printable"
	"github.com/certautopilot/kekceremony/internal/quorum"
)

// maxRequests bounds how often a ceremony may ask for signatures.
const maxRequests = 1_000

// takeRequest takes a line that asks for signatures.
func (s *State) takeRequest(e Event) error {
	if s.asked++; s.asked > maxRequests {
		return broken(RuleOrder, "more than %d requests", maxRequests)
	}
	req, err := RequestOf(s.first, e)
	if err != nil {
		return &RuleError{RuleOrder, err}
	}
	if old, ok := s.purposes[e.Step]; ok && old != req.Purpose {
		return broken(RuleOrder, "step %s asks for two purposes", printable.Text(e.Step))
	}
	s.purposes[e.Step] = req.Purpose
	if final, ok := e.Facts[FactFinal]; ok && final != s.first.Prev {
		return broken(RuleOrder, "people attend after the final digest %s, and the log follows %s",
			printable.Text(final), s.first.Prev)
	}
	if req.Purpose == quorum.Join && e.Facts[FactNextRoster+"_sha256"] != s.Next.Digest() {
		return broken(RuleRoster, "asked for another roster than the next one")
	}
	if e.Kind == Plan {
		if Digest([]byte(e.Facts[FactPlan])) != e.Facts[FactSHA256] {
			return broken(RuleOrder, "sha256 is not the plan's")
		}
		for _, act := range req.Acts() {
			s.approved[act] = e.Step
		}
	}
	s.requests[e.Step] = Requested{Request: req}
	if s.newest() { // in v1 a request asked again counted as begun when the one before it was
		delete(s.begunOf, e.Step)
	}
	return nil
}

// by is the roster whose keys sign a request.
func (s *State) by(p quorum.Purpose) quorum.Roster {
	if p == quorum.Join {
		return s.Next
	}
	return s.Roster
}

// takeSignature checks one statement: written again from the log, it must be the
// very bytes that were signed.
func (s *State) takeSignature(e Event) error {
	file := printable.Text(e.Facts[FactFile])
	req, ok := s.requests[e.Step]
	if !ok {
		return broken(RuleOrder, "%s: nothing was asked", file)
	}
	p, err := s.by(req.Purpose).Check(req.Namespace(), SignedOf(e))
	if err != nil {
		return broken(RuleSignatures, "%s: %w", file, err)
	}
	if e.Facts[FactStatement] != string(req.Statement(p.Member)) || e.Facts[FactFile] != req.File(p.Name) {
		return broken(RuleSignatures, "%s: not the statement that was asked of %s", file, p.Name)
	}
	if e.Facts[FactNamespace] != req.Namespace() || e.Facts[FactKey] != p.Fingerprint() {
		return broken(RuleSignatures, "%s: namespace and key are not those that the line records", file)
	}
	if slices.ContainsFunc(req.Signed, func(q quorum.Proof) bool { return q.Name == p.Name }) {
		return broken(RuleSignatures, "%s: %s has signed already", file, p.Name)
	}
	if fido := e.Facts[FactFIDO]; p.FIDO != nil && fido != p.FIDO.String() || p.FIDO == nil && fido != "" {
		return broken(RuleSignatures, "%s: the authenticator says otherwise than the log", file)
	}
	if err := s.count(p); err != nil {
		return broken(RuleSignatures, "%s: %w", file, err)
	}
	switch req.Purpose {
	case quorum.Approve:
		if !s.attended[p.Name] {
			return broken(RuleOrder, "%s: %s did not attend", file, p.Name)
		}
	case quorum.Attend:
		s.attended[p.Name], s.came[p.Name] = true, true
	case quorum.Join:
		s.joined = append(s.joined, p.Name)
	}
	req.Signed = append(slices.Clip(req.Signed), p) // an earlier state keeps its own
	s.requests[e.Step] = req
	return nil
}

func (s *State) count(p quorum.Proof) error {
	if p.FIDO == nil {
		return nil
	}
	if _, seen := s.firsts[p.Fingerprint()]; !seen {
		s.firsts[p.Fingerprint()] = p.FIDO.Counter
	}
	return s.counters.Next(p)
}

// SignedOf is the signature that a signed event embeds.
func SignedOf(e Event) quorum.Signed {
	return quorum.Signed{Name: e.Facts[FactSigner], Statement: []byte(e.Facts[FactStatement]),
		Signature: []byte(e.Facts[FactSignature]), At: e.Clock()}
}

// takeGathered demands the quorum before what follows from it (promise 1).
func (s *State) takeGathered(e Event) error {
	req, ok := s.requests[e.Step]
	if !ok {
		return broken(RuleOrder, "step %s: nothing was asked", printable.Text(e.Step))
	}
	if req.Gathered {
		return broken(RuleOrder, "step %s: gathered twice", printable.Text(e.Step))
	}
	req.Gathered = true
	s.requests[e.Step] = req
	if _, ok := e.Facts[FactAttended]; ok && req.Purpose != quorum.Attend {
		return broken(RuleOrder, "step %s: it gathered no attendance", printable.Text(e.Step))
	}
	if req.Purpose == quorum.Join {
		return s.allJoined()
	}
	if err := s.Roster.Quorum(req.Namespace(), req.Signed); err != nil {
		return &RuleError{RuleQuorum, err}
	}
	s.keeping = s.keeping || e.Step == StepApproveKeep
	if names := inOrder(s.Roster, req.Signed); req.Purpose == quorum.Attend && e.Facts[FactAttended] != names {
		return broken(RuleSignatures, "attended: %s have signed", names)
	}
	return nil
}

// inOrder are the names of those who signed, in the roster's order.
func inOrder(r quorum.Roster, signed []quorum.Proof) string {
	by := map[string]bool{}
	for _, p := range signed {
		by[p.Name] = true
	}
	var names []string
	for _, m := range r.Members {
		if by[m.Name] {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (s *State) allJoined() error {
	for _, m := range s.Next.Joining(s.Roster) {
		if !slices.Contains(s.joined, m.Name) {
			return broken(RuleQuorum, "%s has not proved to hold the key of the next roster", m.Name)
		}
	}
	return nil
}
